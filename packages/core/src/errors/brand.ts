/**
 * Marks an error class so that `instanceof` holds across duplicate installs of this package: two copies in one
 * `node_modules` tree are common, and an error that is not recognised is handled as something else.
 */
export function brandOf(name: string): symbol {
  return Symbol.for(`@tidemark/core/${name}`);
}

/** What `instanceof` says: of the class itself, whether a value carries its brand; of a subclass, what it says of any. */
export function isBranded(value: unknown, brand: symbol, asked: unknown, branded: unknown): boolean {
  if (asked !== branded) return Function.prototype[Symbol.hasInstance].call(asked, value);
  return typeof value === "object" && value !== null && brand in value;
}
