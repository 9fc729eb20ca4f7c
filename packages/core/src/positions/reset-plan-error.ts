import { brandOf, isBranded } from "../errors/brand.ts";

const brand = brandOf("ResetPlanError");

/**
 * What was asked for cannot be planned: there is no position to move, none to shift, no reset to undo, or the log does not have
 * the topic of a position. Or the plan no longer holds for a position, which was not written.
 */
export class ResetPlanError extends Error {
  override readonly name: string = "ResetPlanError";

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    Object.defineProperty(this, brand, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return isBranded(value, brand, this, ResetPlanError);
  }
}
