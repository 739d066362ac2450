import type { FastifyInstance } from 'fastify';
import type { Cell } from './cell.ts';
import { countTasks } from './tasks.ts';

function hostAndPort(cell: Cell): string {
  return new URL(cell.address()).host;
}

/** What Marathon says about itself. */
export function clusterRoutes(server: FastifyInstance, cell: Cell): void {
  server.get('/v2/info', () => ({
    name: 'marathon',
    version: cell.version,
    buildref: 'sluice-embedded-engine',
    elected: true,
    leader: hostAndPort(cell),
    frameworkId: cell.frameworkId,
    marathon_config: {
      checkpoint: true,
      executor: '//cmd',
      failover_timeout: 604_800,
      framework_name: 'marathon',
      ha: false,
      hostname: new URL(cell.address()).hostname,
      local_port_min: 10_000,
      local_port_max: 20_000,
      task_launch_timeout: 300_000,
    },
    zookeeper_config: {},
    http_config: { http_port: Number(new URL(cell.address()).port) },
  }));
  server.get('/v2/leader', () => ({ leader: hostAndPort(cell) }));
  server.delete('/v2/leader', () => {
    // As a change of leader does: health is forgotten, streams end, apps and tasks stay.
    setImmediate(() => {
      cell.health.forget();
      cell.events.cut();
    });
    return { message: 'Leadership abdicated' };
  });
  server.get('/ping', (request, reply) => {
    const accept = request.headers.accept ?? '*/*';
    if (/\*\/\*|text\//.test(accept)) return reply.type('text/plain').send('pong');
    if (accept.includes('application/json')) return reply.type('application/json').send('"pong"');
    return reply.status(204).send();
  });
  server.get('/metrics', () => {
    const counts = countTasks(cell.tasks.shown());
    return {
      gauges: {
        'marathon.apps.active.gauge': { value: cell.apps.list().length },
        'marathon.deployments.active.gauge': { value: cell.deployments.json().length },
        'marathon.instances.running.gauge': { value: counts.tasksRunning },
        'marathon.instances.staged.gauge': { value: counts.tasksStaged },
      },
      counters: {},
    };
  });
}
