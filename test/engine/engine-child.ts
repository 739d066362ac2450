// An engine in a process of its own, for tests that kill it. Prints its URL, then runs until told.
import { startEngine } from '../../reconciler/engine/engine.ts';

const engine = await startEngine({ stateDir: process.argv[2] ?? '' });
process.on('SIGTERM', () => void engine.close().then(() => process.exit(0)));
console.log(engine.url);
