import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "./run-command.ts";
import { readManifest, rootFolder } from "./workspace.ts";

/** What makes a tarball unfit for publication; empty if it is fit. Each entry names its tool. */
export async function checkPackedPackage(tarball: string, unpackedInto: string): Promise<readonly string[]> {
  const unpacking = await runCommand("tar", ["-xzf", tarball, "-C", unpackedInto], { cwd: unpackedInto });
  if (unpacking.code !== 0) return [`tar: ${unpacking.output}`];
  const folder = join(unpackedInto, "package");
  const tools = await Promise.all([
    complaintsOf("publint", ["run", "--strict", tarball], unpackedInto),
    complaintsOf("attw", ["--profile", "esm-only", "--format", "ascii", tarball], unpackedInto),
  ]);
  return [...(await checkContents(folder)), ...tools.flat()];
}

async function complaintsOf(program: string, args: readonly string[], cwd: string): Promise<readonly string[]> {
  const { code, output } = await runCommand(join(rootFolder, "node_modules/.bin", program), args, { cwd });
  return code === 0 ? [] : [`${program}: ${output.trim()}`];
}

async function checkContents(folder: string): Promise<readonly string[]> {
  const complaints: string[] = [];
  const files = await readdir(folder, { recursive: true });
  for (const wanted of ["LICENSE", "README.md", "package.json"]) {
    if (!files.includes(wanted)) complaints.push(`contents: ${wanted} is missing`);
  }
  const strays = files.filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"));
  if (strays.length > 0) complaints.push(`contents: sources are in: ${strays.join(", ")}`);
  const manifest = readManifest(folder);
  const text = JSON.stringify(manifest);
  // The condition leads to src/, which is not shipped: whoever sets it would get a package without a module.
  if (text.includes('"@tidemark/source"')) complaints.push("package.json: has the condition @tidemark/source");
  if (text.includes("workspace:")) complaints.push("package.json: has a workspace: range");
  if (text.includes("./src/")) complaints.push("package.json: points into src/");
  return complaints;
}
