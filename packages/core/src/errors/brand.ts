/**
 * Marks an error class so that `instanceof` holds across duplicate installs of this package: two copies in one
 * `node_modules` tree are common, and an error that is not recognised is handled as something else.
 */
export function brandOf(name: string): symbol {
  return Symbol.for(`@tidemark/core/${name}`);
}

/** Tells whether a value carries a brand. */
export function hasBrand(value: unknown, brand: symbol): boolean {
  return typeof value === "object" && value !== null && brand in value;
}
