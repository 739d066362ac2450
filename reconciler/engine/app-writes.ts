import type { Cell } from './cell.ts';
import type { AppDefinition } from './definition.ts';
import type { DeploymentResult } from './deployments.ts';
import { imageFault } from './images.ts';
import { absoluteId } from './normalise.ts';
import { Refusal, invalidObject, noSuchApp } from './refusal.ts';
import { AppInput } from './schema.ts';
import type { AppChange } from './steps.ts';
import { idErrors, parseInput } from './validate.ts';

function assertRunnable(cell: Cell, app: AppDefinition): void {
  const fault = imageFault(cell.images, app);
  if (fault !== undefined) {
    throw invalidObject([{ path: '/container/docker/image', errors: [fault] }]);
  }
}

export interface Created {
  readonly app: AppDefinition;
  readonly deploymentId: string;
}

/** POST: a new app; 409 if the id is taken. */
export function createApp(cell: Cell, body: unknown, force: boolean): Created {
  const input = parseInput(AppInput, body);
  if (input.id === undefined) {
    throw new Refusal(422, 'Invalid JSON', {
      details: [{ path: '/id', errors: ['error.path.missing'] }],
    });
  }
  const id = absoluteId(input.id);
  if (cell.apps.get(id) !== undefined) {
    throw new Refusal(409, `An app with id [${id}] already exists.`);
  }
  const app = cell.apps.fresh({ ...input, id });
  assertRunnable(cell, app);
  const changes = [{ id, from: undefined, to: app }];
  const { deploymentId } = cell.deployments.submit({ changes, force });
  return { app, deploymentId };
}

export interface UpdateOptions {
  readonly force: boolean;
  readonly partial: boolean;
  /** What to do with an app that is not there. */
  readonly missing: 'create' | 'refuse';
}

/** PUT and PATCH of one app. The id in the URL wins over the one in the body. */
export function updateApp(
  cell: Cell,
  id: string,
  request: { readonly body: unknown; readonly options: UpdateOptions },
): DeploymentResult | Created {
  const { body, options } = request;
  const former = cell.apps.get(id);
  if (former === undefined) {
    if (options.missing === 'refuse') throw noSuchApp(id);
    const full = typeof body === 'object' && body !== null ? { ...body, id } : body;
    return createApp(cell, full, options.force);
  }
  const change = changeOf(cell, { former, body, partial: options.partial });
  return cell.deployments.submit({ changes: [change], force: options.force });
}

function changeOf(
  cell: Cell,
  update: { readonly former: AppDefinition; readonly body: unknown; readonly partial: boolean },
): AppChange {
  const { former, body, partial } = update;
  const input = parseInput(AppInput, body);
  const to = cell.apps.changed(former, input, { partial });
  assertRunnable(cell, to);
  return { id: former.id, from: former, to };
}

/** PUT and PATCH of several apps: one deployment for all of them. */
export function updateApps(
  cell: Cell,
  request: { readonly body: unknown; readonly options: UpdateOptions },
): DeploymentResult {
  const { body, options } = request;
  if (!Array.isArray(body))
    throw new Refusal(422, 'Invalid JSON', { details: 'an array is needed' });
  const changes = body.map((each: unknown): AppChange => {
    const { id: given } = parseInput(AppInput, each);
    const id = absoluteId(given ?? '');
    const former = cell.apps.get(id);
    if (former !== undefined)
      return changeOf(cell, { former, body: each, partial: options.partial });
    if (options.missing === 'refuse') throw noSuchApp(id);
    const app = cell.apps.fresh({ ...parseInput(AppInput, each), id });
    assertRunnable(cell, app);
    return { id, from: undefined, to: app };
  });
  return cell.deployments.submit({ changes, force: options.force });
}

export function deleteApp(cell: Cell, id: string, force: boolean): DeploymentResult {
  const from = cell.apps.require(id);
  return cell.deployments.submit({ changes: [{ id, from, to: undefined }], force });
}

/** A rolling restart: the same configuration, with a new time of change. */
export function restartApp(cell: Cell, id: string, force: boolean): DeploymentResult {
  const from = cell.apps.require(id);
  const version = cell.apps.nextVersion();
  const versionInfo = { ...from.versionInfo, lastConfigChangeAt: version };
  const changes = [{ id, from, to: { ...from, version, versionInfo } }];
  return cell.deployments.submit({ changes, force });
}

/** An id out of a URL, or 422: no such id can exist. */
export function idFromUrl(path: string): string {
  const id = absoluteId(path);
  const errors = idErrors(id);
  if (errors.length > 0) throw invalidObject([{ path: '/id', errors }]);
  return id;
}
