import type { MarathonApp } from './marathon-app.ts';
import type { RecordPatch } from './record.ts';
import type { Split } from './split.ts';

/** One write to the platform. Idempotent: asking twice for the same leaves the same. */
export type AppWrite =
  /** The whole app, our labels included. An app of this id that already exists is `app-exists`. */
  | { readonly kind: 'create-app'; readonly id: string; readonly definition: MarathonApp }
  /** Sends `instances` only; refuses with `app-restarted` if lastConfigChangeAt moved by it. */
  | {
      readonly kind: 'scale-app';
      readonly id: string;
      readonly instances: number;
      readonly configAt: string;
    }
  /** Kills exactly these and shrinks the app by their number. */
  | { readonly kind: 'kill-tasks'; readonly appId: string; readonly taskIds: readonly string[] }
  /**
   * Stops a platform change where it is, by force: only one that touches exactly this app, which
   * has no traffic (law 13). Without it a version that never gets healthy stays locked for ever.
   */
  | { readonly kind: 'end-platform-change'; readonly appId: string; readonly change: string }
  /** Never forces. An app that is already gone is fine. */
  | { readonly kind: 'delete-app'; readonly id: string };

/** One write to the gateways. */
export type GatewayWrite =
  /** The whole split, to all nodes or to the named ones. */
  | { readonly kind: 'apply-split'; readonly split: Split; readonly nodes?: readonly string[] }
  /** Closes the listener and forgets the gateway; one that is gone already is fine. */
  | { readonly kind: 'remove-gateway'; readonly gateway: string; readonly generation: number };

/** One write to our own memory. */
export interface RecordWrite {
  readonly kind: 'record';
  readonly patch: RecordPatch;
}

/** One write, with its reason. Safe by itself in the state that was observed (law 2). */
export type Action = (AppWrite | GatewayWrite | RecordWrite) & {
  /** For people: what it does and why now. */
  readonly why: string;
  /** Leads back to stable or re-sends what is in force: allowed while the record cannot be kept. */
  readonly wayBack?: true;
};
