import net from 'node:net';

/** Why a gateway cannot listen. */
export interface BindFault {
  readonly code: 'port-in-use' | 'port-forbidden' | 'bind-failed';
  readonly message: string;
}

/**
 * Listens on a port for a moment. Node does not set SO_REUSEPORT, so that this also finds a stranger
 * who did: HAProxy would share the port with him and lose half of the requests.
 */
export function tryBind(port: number, host: string): Promise<BindFault | undefined> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      resolve(bindFault(error, port));
    });
    server.listen({ port, host, exclusive: true }, () => {
      server.close(() => {
        resolve(undefined);
      });
    });
  });
}

export function bindFault(error: NodeJS.ErrnoException, port: number): BindFault {
  if (error.code === 'EADDRINUSE') {
    return { code: 'port-in-use', message: `port ${String(port)} is taken by another program` };
  }
  if (error.code === 'EACCES') {
    return { code: 'port-forbidden', message: `this user may not listen on port ${String(port)}` };
  }
  return {
    code: 'bind-failed',
    message: `cannot listen on port ${String(port)}: ${error.code ?? error.message}`,
  };
}
