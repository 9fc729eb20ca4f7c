/** Version 3, which reads YAML 1.1, has no types of its own. */
declare module "js-yaml" {
  export function loadAll(text: string): unknown[];
}
