import { chmodSync, lstatSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';

/**
 * Has `listen` open a unix socket that only its owner can ever connect to, and puts it at `path`: it
 * is born in a directory of mode 700 and moved when its own mode is 600. A socket that nobody
 * answers on any more gives way. Returns how to remove it.
 *
 * @throws an Error with `code` `EADDRINUSE` if somebody answers there or it is no socket.
 */
export async function placeSocket(
  path: string,
  listen: (temporaryPath: string) => Promise<void>,
): Promise<() => void> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  if (await isTaken(path)) {
    throw Object.assign(new Error(`${path} is in use`), { code: 'EADDRINUSE' });
  }
  const nursery = mkdtempSync(join(dirname(path), '.s'));
  try {
    const born = join(nursery, 's');
    await listen(born);
    chmodSync(born, 0o600);
    const { ino } = lstatSync(born);
    renameSync(born, path);
    return () => {
      // Another Sluice may have taken the place over in the meantime.
      if (lstatSync(path, { throwIfNoEntry: false })?.ino === ino) rmSync(path, { force: true });
    };
  } finally {
    rmSync(nursery, { recursive: true, force: true });
  }
}

async function isTaken(path: string): Promise<boolean> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return false;
  if (!found.isSocket()) return true;
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.setTimeout(1_000, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}
