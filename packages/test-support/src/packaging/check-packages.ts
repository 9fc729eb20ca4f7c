// Packs every public package as a release would, and checks what would be uploaded; then what the packages export, and how
// large they are. Needs a build before it. With TIDEMARK_UPDATE_DOCUMENTS=1 it writes the reports of both instead.
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkApiReports } from "./check-api-reports.ts";
import { checkEmptyProject } from "./check-empty-project.ts";
import { checkPackedPackage } from "./check-packed-package.ts";
import { checkSizes } from "./check-sizes.ts";
import { runCommand } from "./run-command.ts";
import { publicPackages, rootFolder, type WorkspacePackage } from "./workspace.ts";

const update = process.env["TIDEMARK_UPDATE_DOCUMENTS"] === "1";

async function packAndCheck({ folder, folderName }: WorkspacePackage, scratch: string): Promise<readonly string[]> {
  const unpackedInto = join(scratch, folderName);
  await mkdir(unpackedInto);
  const tarball = join(scratch, `${folderName}.tgz`);
  const packing = await runCommand("pnpm", ["pack", "--out", tarball], { cwd: folder });
  if (packing.code !== 0) return [`pnpm pack: ${packing.output}`];
  return await checkPackedPackage(tarball, unpackedInto);
}

function report(what: string, complaints: readonly string[]): void {
  process.stdout.write(complaints.length === 0 ? `ok      ${what}\n` : `FAILED  ${what}\n`);
  for (const complaint of complaints) process.stdout.write(`${complaint.replaceAll(/^/gm, "    ")}\n`);
  if (complaints.length > 0) process.exitCode = 1;
}

const scratch = await mkdtemp(join(tmpdir(), "tidemark-pack-"));
try {
  const packages = publicPackages();
  for (const workspacePackage of packages) {
    // One after the other: each starts programs of its own, and the order of the report stays.
    report(workspacePackage.manifest.name ?? "", await packAndCheck(workspacePackage, scratch));
  }
  const unpacked = packages.map((workspacePackage) => ({
    workspacePackage,
    unpacked: join(scratch, workspacePackage.folderName, "package"),
  }));
  report("types in an empty project", await checkEmptyProject(unpacked, join(scratch, "empty-project")));
  report("what is exported", await checkApiReports(packages, { update }));
  report("what it weighs", await checkSizes(packages, { page: join(rootFolder, "docs/sizes.md"), update }));
} finally {
  await rm(scratch, { recursive: true });
}
