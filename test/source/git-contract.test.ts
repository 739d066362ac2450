import { rename } from 'node:fs/promises';
import { createGitSource } from '../../reconciler/source/git.ts';
import { createGitRemote, GIT_ENV } from './git-remote.ts';
import { sourceContract } from './source-contract.ts';
import type { SourceBench } from './source-contract.ts';

sourceContract('A git source', async (): Promise<SourceBench> => {
  const remote = await createGitRemote();
  const { bare, mirrorDir } = remote;
  const environment = { PATH: GIT_ENV.PATH };
  return {
    source: createGitSource({ url: bare, ref: { branch: 'main' }, mirrorDir, environment }),
    commit: async (files) => remote.commit(files),
    rewrite: async (files) => remote.rewrite(files),
    async deleteBranch() {
      // Another branch keeps the remote from being empty.
      await remote.git('branch', 'other');
      await remote.git('update-ref', '-d', 'refs/heads/main');
    },
    async setReachable(reachable) {
      if (reachable) await rename(`${bare}.away`, bare);
      else await rename(bare, `${bare}.away`);
    },
    close: async () => remote.close(),
  };
});
