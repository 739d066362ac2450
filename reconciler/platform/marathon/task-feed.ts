import { setTimeout as sleep } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';
import type { EventSourceMessage } from 'eventsource-parser';
import type { TaskFeed, Wake } from '../port.ts';
import type { MarathonClient } from './client.ts';
import { StatusUpdate } from './schema.ts';
import { hasEnded } from '../../model/task-state.ts';
import { readTask } from './task-reading.ts';

export interface TaskFeedOptions {
  /** Milliseconds before a cut stream is opened again; doubled up to `maxDelayMs`, with jitter. */
  readonly minDelayMs?: number;
  readonly maxDelayMs?: number;
}

/** The events after which instances or their health may look different. */
const EVENT_TYPES = [
  'status_update_event',
  'health_status_changed_event',
  'instance_health_changed_event',
  'app_terminated_event',
  'deployment_success',
  'deployment_failed',
];

/** Characters of one event; anything longer is no event of Marathon with light plans. */
const MAX_EVENT = 1_048_576;

/** Where instances are: a full list as the truth, Marathon's event stream as a hint to look. */
export function createTaskFeed(client: MarathonClient, options: TaskFeedOptions = {}): TaskFeed {
  const { minDelayMs = 500, maxDelayMs = 30_000 } = options;
  return {
    async tasks(signal) {
      return (await client.listTasks(signal)).map((task) => readTask(task));
    },
    async *wakes(signal) {
      let delayMs = minDelayMs;
      while (!signal.aborted) {
        for await (const wake of oneStream(client, signal)) {
          // A stream that is cut as soon as it is attached is no sign of better times.
          if (!wake.type.endsWith('attached')) delayMs = minDelayMs;
          yield wake;
        }
        if (signal.aborted) return;
        yield { type: 'stream-cut' };
        // Jitter keeps many agents from coming back to a new leader in the same instant.
        await sleep(delayMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(
          () => undefined,
        );
        delayMs = Math.min(delayMs * 2, maxDelayMs);
      }
    },
  };
}

/** Follows one stream to its end, whatever ends it; there is no replay, so nobody needs to know. */
async function* oneStream(client: MarathonClient, signal: AbortSignal): AsyncGenerator<Wake> {
  try {
    const body = await client.openEvents(EVENT_TYPES, signal);
    yield { type: 'stream-attached' };
    let pending: Wake[] = [];
    let tooLong = false;
    const parser = createParser({
      maxBufferSize: MAX_EVENT,
      onEvent(event) {
        pending.push(wakeOf(event));
      },
      onError(error) {
        tooLong ||= error.type === 'max-buffer-size-exceeded';
      },
    });
    body.setEncoding('utf8');
    for await (const chunk of body as AsyncIterable<string>) {
      parser.feed(chunk);
      if (tooLong) return;
      const wakes = pending;
      pending = [];
      yield* wakes;
    }
  } catch {
    // A refused, broken or silent stream is the same to the reader: it looks for itself.
  }
}

function wakeOf(event: EventSourceMessage): Wake {
  const type = event.event ?? 'message';
  if (type !== 'status_update_event') return { type };
  const update = StatusUpdate.safeParse(parseJson(event.data)).data;
  if (update === undefined || !hasEnded(update.taskStatus)) return { type };
  return { type, gone: { taskId: update.taskId, appId: update.appId } };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
