/** JSON as Marathon speaks it. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/**
 * A Marathon app definition in the 1.5+ form, as `POST /v2/apps` takes it. Only the fields that
 * pure code looks into are named; the others travel untouched.
 */
export interface MarathonApp extends JsonObject {}
