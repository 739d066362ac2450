import { fileURLToPath } from 'node:url';
import type { AppDefinition } from './definition.ts';

/** A shell command line, or a program and its arguments. */
export type ImageCommand = string | readonly string[];

/**
 * Which local command stands in for a Docker image: pattern (`*` matches anything) -> command.
 * The first pattern that matches wins.
 */
export type ImageMap = Readonly<Record<string, ImageCommand>>;

const SIMPLE_SERVICE: ImageCommand = [
  process.execPath,
  fileURLToPath(new URL('./simpleservice.ts', import.meta.url)),
];

/** Images that the engine can run without being told: the sample service of the zdd tutorials. */
export const DEFAULT_IMAGES: ImageMap = {
  'mhausenblas/simpleservice:*': SIMPLE_SERVICE,
  'magneticio/simpleservice:*': SIMPLE_SERVICE,
};

/** The built-in images after, and where named overridden by, somebody's own. */
export function withDefaults(own: ImageMap): ImageMap {
  const added = Object.entries(own).filter(([pattern]) => !Object.hasOwn(DEFAULT_IMAGES, pattern));
  // Overriding keeps a pattern's place, so the order is: what was added, then the built-in ones.
  return { ...Object.fromEntries(added), ...DEFAULT_IMAGES, ...own };
}

function matches(pattern: string, image: string): boolean {
  const text = pattern
    .split('*')
    .map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*');
  return new RegExp(`^${text}$`).test(image);
}

export function commandForImage(images: ImageMap, image: string): ImageCommand | undefined {
  // An image without a tag means `latest`, so `x:*` covers plain `x` as well.
  const name = /:[^/]+$/.test(image) || image.includes('@') ? image : `${image}:latest`;
  const found = Object.entries(images).find(
    ([pattern]) => matches(pattern, image) || matches(pattern, name),
  );
  return found?.[1];
}

/** Why an app cannot be run here, or undefined if it can. */
export function imageFault(images: ImageMap, app: AppDefinition): string | undefined {
  const image = app.container?.docker?.image;
  if (image === undefined || app.cmd !== undefined) return undefined;
  if (commandForImage(images, image) !== undefined) return undefined;
  const known = Object.keys(images).join(', ');
  return (
    `image '${image}' is not in the image map of this engine, which runs local commands and ` +
    `no containers; add it with --image '${image}=COMMAND' (the map has: ${known || 'nothing'}), ` +
    'or give the app a cmd'
  );
}
