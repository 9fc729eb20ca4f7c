/** The parameters of one statement. Each carries its type: nothing is left to how a client guesses it. */
export class Parameters {
  readonly values: unknown[] = [];

  /** Adds a parameter, and gives what stands for it in the statement. */
  add(value: string | number | null, type: string): string {
    return `$${this.values.push(value)}::${type}`;
  }
}

/** Items that a statement is about: what is the same in all of them is one parameter, the rest a column of a table `g`. */
export class Given<Name extends string> {
  readonly #items: readonly Readonly<Record<Name, string | number | null>>[];
  readonly #types: Readonly<Record<Name, string>>;
  readonly #parameters: Parameters;
  readonly #columns = new Map<Name, string>();
  readonly #names: Name[] = [];
  readonly #arrays: string[] = [];

  constructor(
    items: readonly Readonly<Record<Name, string | number | null>>[],
    types: Readonly<Record<Name, string>>,
    parameters: Parameters,
  ) {
    this.#items = items;
    this.#types = types;
    this.#parameters = parameters;
  }

  /** What stands for a column of the items. */
  column(name: Name): string {
    let column = this.#columns.get(name);
    if (column === undefined) this.#columns.set(name, (column = this.#add(name)));
    return column;
  }

  /** The table `g` of the columns that were asked for; `undefined` where nothing differs. To be asked last. */
  get table(): string | undefined {
    if (this.#names.length === 0) return undefined;
    return `unnest(${this.#arrays.join(", ")}) AS g(${this.#names.join(", ")})`;
  }

  #add(name: Name): string {
    const type = this.#types[name];
    const first = this.#items[0]?.[name] ?? null;
    if (this.#items.every((item) => item[name] === first)) return this.#parameters.add(first, type);
    this.#names.push(name);
    this.#arrays.push(this.#parameters.add(arrayText(this.#items.map((item) => item[name])), `${type}[]`));
    return `g.${name}`;
  }
}

/**
 * An array as PostgreSQL writes it: clients differ in what they make of one of JavaScript's. JSON writes the same, but for what
 * it escapes beside quotes and backslashes, and is many times as fast.
 */
function arrayText(items: readonly (string | number | null)[]): string {
  const json = JSON.stringify(items);
  if (!/\\[^"\\]/u.test(json)) return `{${json.slice(1, -1)}}`;
  const texts = items.map((item) =>
    typeof item === "string" ? `"${item.replaceAll(/["\\]/gu, String.raw`\$&`)}"` : String(item),
  );
  return `{${texts.join(",")}}`;
}
