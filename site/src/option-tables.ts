import { dirname, join } from "node:path";
import ts from "typescript";
import { rootFolder } from "./repository.ts";

/** Where the options of a function are declared. */
export interface OptionsType {
  /** The file, from the repository's root. */
  readonly file: string;
  /** The interface, or the union of interfaces, for example `ConsumerOptions`. */
  readonly type: string;
}

interface Option {
  readonly name: string;
  readonly type: string;
  /** Its place in the table: {@link REQUIRED} or a later one. */
  readonly rank: number;
  readonly comment: string;
}

const REQUIRED = 0;

/** A Markdown table for each of these: name, type, default and what the comment says. All are read together, which takes seconds once. */
export function optionTables(types: readonly OptionsType[]): readonly string[] {
  const config = join(rootFolder, "site/tsconfig.api.json");
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(config, (path) => ts.sys.readFile(path)).config,
    { ...ts.sys, readDirectory: () => [] },
    dirname(config),
  );
  const program = ts.createProgram([...new Set(types.map(({ file }) => join(rootFolder, file)))], options);
  const checker = program.getTypeChecker();
  return types.map(({ file, type }) => {
    const source = program.getSourceFile(join(rootFolder, file));
    const module = source && checker.getSymbolAtLocation(source);
    const symbol = module && checker.getExportsOfModule(module).find(({ name }) => name === type);
    if (source === undefined || symbol === undefined) throw new Error(`${file} has no export ${type}`);
    return tableOf(optionsOf(checker.getDeclaredTypeOfSymbol(symbol), source, checker));
  });
}

/**
 * Those of a union are the options of all its parts; what a part rules out (`url?: undefined`) is none. What comes from another
 * package is left out: the options of every store have a table of their own.
 */
function optionsOf(type: ts.Type, source: ts.SourceFile, checker: ts.TypeChecker): readonly Option[] {
  const parts = type.isUnion() ? type.types : [type];
  const options = new Map<string, Option>();
  for (const symbol of parts.flatMap((part) => part.getProperties())) {
    const [declaration] = symbol.declarations ?? [];
    if (declaration === undefined || !ts.isPropertySignature(declaration) || declaration.type === undefined) continue;
    if (declaration.getSourceFile() !== source || declaration.type.kind === ts.SyntaxKind.UndefinedKeyword) continue;
    options.set(symbol.name, {
      name: symbol.name,
      type: typeText(declaration.type, checker),
      rank: rankOf(symbol, parts),
      comment: ts.displayPartsToString(symbol.getDocumentationComment(checker)),
    });
  }
  return [...options.values()].sort((one, other) => one.rank - other.rank);
}

/** Required ones come first, then those of one part only, of which one has to be given. */
function rankOf({ name }: ts.Symbol, parts: readonly ts.Type[]): number {
  const properties = parts.map((part) => part.getProperty(name));
  const isRequired = (property: ts.Symbol | undefined): boolean =>
    property !== undefined && (property.flags & ts.SymbolFlags.Optional) === 0;
  if (properties.every(isRequired)) return REQUIRED;
  return new Set(properties).size > 1 ? 1 : 2;
}

/** As it is declared, without `undefined`; names of texts, like `CommitStrategy`, as the texts. */
function typeText(declared: ts.TypeNode, checker: ts.TypeChecker): string {
  const nodes = ts.isUnionTypeNode(declared) ? declared.types : [declared];
  const texts = nodes
    .filter(({ kind }) => kind !== ts.SyntaxKind.UndefinedKeyword)
    .map((node) => {
      const type = checker.getTypeFromTypeNode(node);
      const choices = type.isUnion() ? type.types.map((part) => (part.isStringLiteral() ? part.value : undefined)) : [];
      return choices.length === 0 || choices.includes(undefined)
        ? shortened(node.getText())
        : choices.map((choice) => JSON.stringify(choice)).join(" | ");
    });
  const [only = "", ...others] = texts;
  return others.length === 0 ? only.replace(/^\((?<within>.*)\)$/, "$<within>") : texts.join(" | ");
}

/** Without what says nothing to somebody who gives a value. */
function shortened(type: string): string {
  return type.replaceAll(/\breadonly |<Transaction>/g, "").replaceAll(/\s+/g, " ");
}

function tableOf(options: readonly Option[]): string {
  const rows = options.map(({ name, type, rank, comment }) => {
    const { fallback, text } = splitComment(comment);
    return [`\`${name}\``, `\`${type}\``, rank === REQUIRED ? "required" : (fallback ?? "-"), text];
  });
  return [["option", "type", "default", "what it does"], ["---", "---", "---", "---"], ...rows]
    .map((cells) => `| ${cells.map(cellText).join(" | ")} |`)
    .join("\n");
}

/**
 * Takes the default out of a comment: `Default 3,000.`, `Default 10,000; S3 60,000.`, `Default: all of the topic's.`, or
 * `"full"` (default).
 */
function splitComment(comment: string): { readonly fallback: string | undefined; readonly text: string } {
  const line = comment
    .replaceAll(/\s+/g, " ")
    .replaceAll(/\{@link (\w+)\}/g, "`$1`")
    .trim();
  const marked = /(?<fallback>`[^`]+`) \(default\)/.exec(line)?.groups?.["fallback"];
  if (marked !== undefined) return { fallback: marked, text: line.replace(" (default)", "") };
  const sentence = /(?:^|(?<=[.:] ))Default:? (?<fallback>.+?)\.(?= |$)/;
  const fallback = sentence.exec(line)?.groups?.["fallback"];
  return { fallback, text: line.replace(sentence, "").replaceAll(/ {2,}/g, " ").trim() };
}

function cellText(text: string): string {
  return text.replaceAll("|", "\\|");
}
