import { createEmbeddedProxy } from '../../reconciler/gateway/agent/embedded/embedded-proxy.ts';
import { TUNING } from '../../reconciler/gateway/agent/proxy.ts';
import { proxyContract } from './proxy-contract.ts';

proxyContract('embedded', () =>
  Promise.resolve(
    createEmbeddedProxy({
      bindHost: '127.0.0.1',
      tuning: { ...TUNING, checkIntervalMs: 200, connectHoldMs: 300 },
    }),
  ),
);
