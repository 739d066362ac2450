import { once } from 'node:events';
import { connect } from 'node:net';
import { createParser } from 'eventsource-parser';
import { expect, onTestFinished, test } from 'vitest';
import { SLEEPER, engineFor, settled, until } from './running-engine.ts';

interface Seen {
  readonly eventType: string;
  readonly [field: string]: unknown;
}

interface Stream {
  readonly events: readonly Seen[];
  readonly ended: () => boolean;
}

async function listen(url: string, query = ''): Promise<Stream> {
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const response = await fetch(`${url}/v2/events${query}`, {
    headers: { accept: 'text/event-stream' },
    signal: stop.signal,
  });
  const events: Seen[] = [];
  let over = false;
  const parser = createParser({
    onEvent: ({ event, data }) => {
      const seen: Seen = JSON.parse(data);
      expect(seen.eventType).toBe(event);
      events.push(seen);
    },
  });
  async function read(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? [])
      parser.feed(decoder.decode(chunk, { stream: true }));
  }
  void read()
    .catch(() => undefined)
    .finally(() => {
      over = true;
    });
  return { events, ended: () => over };
}

test('a deployment tells its story, the own attachment first', async () => {
  const { call, engine } = await engineFor();
  const { events } = await listen(engine.url);
  await call('POST', '/v2/apps', { ...SLEEPER, id: '/x' });
  await settled(call);
  await call('DELETE', '/v2/apps/x');
  await until('all is told', () => {
    return events.filter((event) => event.eventType === 'deployment_success').length === 2;
  });
  const told = events.map((event) =>
    event.eventType === 'status_update_event' ? event['taskStatus'] : event.eventType,
  );
  expect(told.filter((what) => what !== 'instance_changed_event')).toEqual([
    'event_stream_attached',
    'group_change_success',
    'api_post_event',
    'deployment_info',
    'deployment_step_success',
    'deployment_info',
    'TASK_STAGING',
    'TASK_STARTING',
    'TASK_RUNNING',
    'deployment_step_success',
    'deployment_success',
    'group_change_success',
    'deployment_info',
    'TASK_KILLING',
    'TASK_KILLED',
    'app_terminated_event',
    'deployment_step_success',
    'deployment_success',
  ]);
  const running = events.find((event) => event['taskStatus'] === 'TASK_RUNNING');
  expect(running).toEqual({
    eventType: 'status_update_event',
    timestamp: expect.any(String),
    slaveId: expect.any(String),
    taskId: expect.stringMatching(/^x\.instance-/),
    taskStatus: 'TASK_RUNNING',
    message: '',
    appId: '/x',
    host: '127.0.0.1',
    ipAddresses: [{ ipAddress: '127.0.0.1', protocol: 'IPv4' }],
    ports: [expect.any(Number)],
    version: expect.any(String),
  });
});

test('a listener gets only the types that it asked for', async () => {
  const { call, engine } = await engineFor();
  const query = '?event_type=deployment_success&event_type=app_terminated_event';
  const { events } = await listen(engine.url, query);
  await call('POST', '/v2/apps', { ...SLEEPER, id: '/x', instances: 0 });
  await settled(call);
  await call('DELETE', '/v2/apps/x');
  await until('all is told', () => events.length === 3);
  expect(events.map((event) => event.eventType)).toEqual([
    'deployment_success',
    'app_terminated_event',
    'deployment_success',
  ]);
});

test('a change of leader ends the streams', async () => {
  const { call, engine } = await engineFor();
  const stream = await listen(engine.url);
  await call('DELETE', '/v2/leader');
  expect(await until('the stream is over', () => stream.ended())).toBe(true);
});

test('a listener that does not read is let go', async () => {
  const { call, engine } = await engineFor();
  const { events } = await listen(engine.url, '?event_type=event_stream_detached');
  const lazy = connect({ host: '127.0.0.1', port: Number(new URL(engine.url).port) });
  onTestFinished(() => void lazy.destroy());
  await once(lazy, 'connect');
  const { host } = new URL(engine.url);
  lazy.write(`GET /v2/events HTTP/1.1\r\nHost: ${host}\r\nAccept: text/event-stream\r\n\r\n`);
  // More than the buffers of two sockets hold.
  const env = { LONG: 'x'.repeat(1_000_000) };
  await until('it is detached', async () => {
    await call('PUT', '/v2/apps/x?force=true', { ...SLEEPER, instances: 0, env });
    return events.length === 1;
  });
  expect((await call('GET', '/ping')).status).toBe(200);
});

test('without the right Accept header there is no stream', async () => {
  const { engine } = await engineFor();
  const answer = await fetch(`${engine.url}/v2/events`, { headers: { accept: '*/*' } });
  expect([answer.status, answer.headers.get('content-type')]).toEqual([405, 'text/html']);
  await answer.text();
});
