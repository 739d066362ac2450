import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startEngine } from '../../reconciler/engine/engine.ts';
import { createMarathonClient } from '../../reconciler/platform/marathon/client.ts';
import { createMarathonPlatform } from '../../reconciler/platform/marathon/platform.ts';
import { foreignApp } from './fake-marathon.ts';
import { platformContract } from './platform-contract.ts';

platformContract('The Marathon platform over the embedded engine', async () => {
  const stateDir = await mkdtemp(path.join(os.tmpdir(), 'sluice-engine-'));
  const engine = await startEngine({ stateDir, port: 0, closeGraceMs: 0 });
  const client = createMarathonClient({
    urls: [engine.url],
    timeoutMs: 5_000,
    maxResponseBytes: 1_000_000,
  });
  const { signal } = new AbortController();
  const owner = 'team-a';
  const platform = createMarathonPlatform(client, { owner });
  return {
    owner,
    platform,
    async addForeign(id) {
      await client.createApp(foreignApp(id), signal);
    },
    async settle() {
      const deadline = Date.now() + 20_000;
      while (Date.now() < deadline) {
        const apps = await platform.list(signal);
        const busy = apps.some(
          (app) => app.platformChanges.length > 0 || app.tasksRunning !== app.instances,
        );
        if (!busy) return;
        await sleep(20);
      }
      throw new Error('the engine did not settle');
    },
    async close() {
      await client.close();
      await engine.close();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
});
