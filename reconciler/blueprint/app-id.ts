/** Words that Marathon 1.8+ refuses as the last segment of an id. */
const RESERVED = new Set(['restart', 'tasks', 'versions']);

/** Room for each name; Mesos puts whole ids into host names and paths. */
const MAX_SEGMENT = 50;

/**
 * `/<prefix>/<deployment>/<cluster>/<breed>-<first 8 hex digits of the digest>`, readable and legal
 * for Marathon: lower case, digits, `-` and `.`. Names that fall together here stay apart by the
 * digest, which covers them as they are written.
 */
export function appIdOf(
  version: {
    readonly deployment: string;
    readonly cluster: string;
    readonly breed: string;
    readonly digest: string;
  },
  prefix: string,
): string {
  const outer = prefix.split('/').filter((segment) => segment !== '');
  const hex = version.digest.slice(version.digest.indexOf('-') + 1).slice(0, 8);
  const segments = [...outer, version.deployment, version.cluster].map(segmentOf);
  return `/${[...segments, `${segmentOf(version.breed)}-${hex}`].join('/')}`;
}

/** Marathon: each part between dots starts and ends with a letter or digit. */
function segmentOf(name: string): string {
  const legal = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]+/g, '-')
    .slice(0, MAX_SEGMENT)
    .split('.')
    .map((part) => part.replaceAll(/^-+|-+$/g, ''))
    .filter((part) => part !== '')
    .join('.');
  if (legal === '') return 'x';
  return RESERVED.has(legal) ? `${legal}-x` : legal;
}
