import { compileFile } from '../../reconciler/blueprint/compile.ts';
import { formatDiagnostic } from '../../reconciler/blueprint/diagnostics.ts';
import type { CompiledFile } from '../../reconciler/blueprint/compile.ts';
import type { DesiredVersion } from '../../reconciler/model/desired.ts';

export function compiled(text: string, path = 'a.yml'): CompiledFile {
  return compileFile({ path, text }, 'c0ffee');
}

/** What is found in a text, as people read it. */
export function found(text: string): readonly string[] {
  return compiled(text).diagnostics.map(formatDiagnostic);
}

/** The version of a blueprint that has one. */
export function onlyVersion(text: string): DesiredVersion {
  const file = compiled(text);
  const [version, ...more] = file.deployments.flatMap((deployment) => deployment.versions);
  if (version === undefined || more.length > 0) throw new Error(found(text).join('\n'));
  return version;
}

/** A sound blueprint with one service; `service` and `breed` are put into it as they are. */
export function blueprintWith(parts: {
  readonly breed?: string;
  readonly service?: string;
  readonly cluster?: string;
  readonly blueprint?: string;
}): string {
  const { breed = '', service = '', cluster = '', blueprint = '' } = parts;
  return [
    'name: shop',
    ...indented(blueprint, 0),
    'clusters:',
    '  web:',
    ...indented(cluster, 4),
    '    services:',
    '      - breed:',
    '          name: web',
    '          deployable: web:1',
    ...indented(breed, 10),
    ...indented(service, 8),
  ].join('\n');
}

function indented(text: string, by: number): readonly string[] {
  return text === '' ? [] : text.split('\n').map((line) => ' '.repeat(by) + line);
}
