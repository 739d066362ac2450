import { createMarathonClient } from '../../reconciler/platform/marathon/client.ts';
import { createMarathonPlatform } from '../../reconciler/platform/marathon/platform.ts';
import { foreignApp, startFakeMarathon } from './fake-marathon.ts';
import { platformContract } from './platform-contract.ts';

platformContract('The Marathon platform over a scripted server', async () => {
  const marathon = await startFakeMarathon();
  const client = createMarathonClient({
    urls: [marathon.url],
    timeoutMs: 5_000,
    maxResponseBytes: 1_000_000,
  });
  const owner = 'team a/b';
  return {
    owner,
    platform: createMarathonPlatform(client, { owner }),
    async addForeign(id) {
      await client.createApp(foreignApp(id), new AbortController().signal);
    },
    async settle() {
      // Every change of the scripted server is done at once.
    },
    async close() {
      await client.close();
      await marathon.close();
    },
  };
});
