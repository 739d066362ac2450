import { renderTable } from '../../reconciler/commands/table.ts';
import { canary } from './canary.ts';
import type { Mark } from './lab.ts';
import { leader } from './leader.ts';
import { split } from './split.ts';

const BENCHES: Readonly<Record<string, () => Promise<readonly Mark[]>>> = {
  split: () => split(['haproxy', 'embedded']),
  canary: () => canary('none'),
  'canary-kill': () => canary('kill'),
  'canary-down': () => canary('down'),
  leader,
};

const asked = process.argv.slice(2);
const names = asked.length === 0 ? Object.keys(BENCHES) : asked;
const marks: Mark[] = [];
for (const name of names) {
  const bench = BENCHES[name];
  if (bench === undefined) {
    console.error(`no bench ${name}: there are ${Object.keys(BENCHES).join(', ')}`);
    process.exit(2);
  }
  console.error(`running ${name} ...`);
  marks.push(...(await bench()));
}
const rows = marks.map((one) => [one.holds ? 'yes' : 'NO', one.what, one.measured, one.mark]);
console.log(renderTable(['holds', 'what', 'measured', 'mark'], rows, { colour: false }));
process.exitCode = marks.every((one) => one.holds) ? 0 : 1;
