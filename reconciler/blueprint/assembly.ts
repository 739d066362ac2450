import { formatPosition, inOrder } from './diagnostics.ts';
import type { Desired } from '../model/desired.ts';
import type { Diagnostic, Position } from '../model/position.ts';
import type { CompiledFile } from './compile.ts';

export interface Assembly {
  /** Without anything from `faultyFiles`. */
  readonly desired: Desired;
  /** Only what is found between files; each file has its own. */
  readonly diagnostics: readonly Diagnostic[];
  /** Paths of files that are faulty by themselves or claim what another file claims. */
  readonly faultyFiles: readonly string[];
}

/**
 * Puts files together. Names and ports that are claimed twice make every claimant faulty, and none
 * of them is in `desired`: when in doubt traffic stays where it is. The caller puts the last good
 * form in the place of a faulty path and assembles again; as a path is replaced at most once, that
 * ends after as many turns as there are files, and files without a conflict go on all the while.
 */
export function assemble(files: readonly CompiledFile[]): Assembly {
  const sound = files.filter((file) => !file.faulty);
  const { diagnostics, paths } = conflicts(sound);
  const kept = sound.filter((file) => !paths.has(file.path));
  const faulty = files.filter((file) => file.faulty || paths.has(file.path));
  return {
    desired: {
      deployments: kept.flatMap((file) => file.deployments),
      gateways: kept.flatMap((file) => file.gateways),
    },
    diagnostics,
    faultyFiles: [...new Set(faulty.map((file) => file.path))].toSorted(),
  };
}

/** Places that one message names beside its own. */
const MOST_NAMED = 3;

interface Claim {
  readonly name: string;
  readonly place: Position;
}

/** What several places claim, each reported at every place with the others beside it. */
export function conflicts(files: readonly Pick<CompiledFile, 'deployments' | 'gateways'>[]): {
  readonly diagnostics: readonly Diagnostic[];
  readonly paths: ReadonlySet<string>;
} {
  const deployments = files.flatMap((file) => file.deployments.map(claimOf));
  const gateways = files.flatMap((file) => file.gateways.map(claimOf));
  const diagnostics = [
    ...clashes(deployments, 'duplicate-deployment', (name) => `deployment \`${name}\` is defined`),
    ...clashes(gateways, 'duplicate-gateway-port', (name) => `gateway port ${name} is claimed`),
  ];
  return { diagnostics: inOrder(diagnostics), paths: new Set(diagnostics.map((d) => d.file)) };
}

function claimOf(of: { readonly name: string; readonly origin: Position }): Claim {
  return { name: of.name, place: of.origin };
}

/** The first few: with a hundred rivals each of them would name all others. */
function placesOf(places: readonly Position[]): string {
  const named = places.slice(0, MOST_NAMED).map(formatPosition);
  const more = places.length - named.length;
  return [
    ...named,
    ...(more > 0 ? [`${String(more)} more ${more === 1 ? 'place' : 'places'}`] : []),
  ].join(' and ');
}

function clashes(
  claims: readonly Claim[],
  code: string,
  what: (name: string) => string,
): readonly Diagnostic[] {
  const byName = Map.groupBy(claims, (claim) => claim.name);
  return [...byName].flatMap(([name, rivals]) => {
    if (rivals.length < 2) return [];
    return rivals.map(({ place }): Diagnostic => {
      const related = rivals.filter((rival) => rival.place !== place).map((rival) => rival.place);
      const others = placesOf(related);
      const message = `${what(name)} here and at ${others}; nothing of these files is taken up until one is left`;
      return { ...place, severity: 'error', code, message, related };
    });
  });
}
