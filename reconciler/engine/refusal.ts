/** One entry of `details` in a 422 answer. */
export interface Fault {
  /** Where, in Marathon's way of writing: `/healthChecks(0)/intervalSeconds`. */
  readonly path: string;
  readonly errors: readonly string[];
}

/** An answer other than success, with the body that Marathon would send. */
export class Refusal extends Error {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;

  constructor(status: number, message: string, rest: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.name = 'Refusal';
    this.status = status;
    this.body = { message, ...rest };
  }
}

/** 422: the JSON has the right types but breaks a rule of Marathon (1.5+ form of the details). */
export function invalidObject(details: readonly Fault[]): Refusal {
  return new Refusal(422, 'Object is not valid', { details });
}

export function noSuchApp(id: string): Refusal {
  return new Refusal(404, `App '${id}' does not exist`);
}

/**
 * 409 of the app lock. The `deployments` array tells it apart from the 409 of an id that is
 * already taken, which has none.
 */
export function locked(deploymentIds: readonly string[]): Refusal {
  return new Refusal(
    409,
    "App is locked by one or more deployments. Override with the option '?force=true'. View details at '/v2/deployments/<DEPLOYMENT_ID>'.",
    { deployments: deploymentIds.map((id) => ({ id })) },
  );
}
