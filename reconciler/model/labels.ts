import type { DesiredVersion } from './desired.ts';

/**
 * The labels that make an app ours. Written at creation and never changed: Marathon restarts every
 * task of an app whose labels change (AppDefinition.isUpgrade).
 */
export const LABELS = {
  owner: 'sluice.owner',
  deployment: 'sluice.deployment',
  cluster: 'sluice.cluster',
  service: 'sluice.service',
  digest: 'sluice.digest',
  revision: 'sluice.revision',
} as const;

export function ownLabels(
  version: DesiredVersion,
  owner: string,
  revision: string,
): Readonly<Record<string, string>> {
  return {
    [LABELS.owner]: owner,
    [LABELS.deployment]: version.deployment,
    [LABELS.cluster]: version.cluster,
    [LABELS.service]: version.service,
    [LABELS.digest]: version.digest,
    [LABELS.revision]: revision,
  };
}
