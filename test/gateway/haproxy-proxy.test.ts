import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import pino from 'pino';

import { createHaproxyProxy } from '../../reconciler/gateway/agent/haproxy/haproxy-proxy.ts';
import { TUNING } from '../../reconciler/gateway/agent/proxy.ts';
import { withHaproxy } from './haproxy-binary.ts';
import { proxyContract } from './proxy-contract.ts';

withHaproxy('HAProxy', () => {
  proxyContract('HAProxy', () =>
    createHaproxyProxy({
      binary: 'haproxy',
      folder: mkdtempSync(path.join(tmpdir(), 'gw-')),
      bindHost: '127.0.0.1',
      tuning: { ...TUNING, checkIntervalMs: 200, connectHoldMs: 300 },
      logger: pino({ level: 'warn' }),
    }),
  );
});
