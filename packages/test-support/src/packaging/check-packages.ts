// Packs every public package as a release would, and checks what would be uploaded. Needs a build before it.
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkPackedPackage } from "./check-packed-package.ts";
import { runCommand } from "./run-command.ts";
import { publicPackages, type WorkspacePackage } from "./workspace.ts";

async function packAndCheck({ folder, folderName }: WorkspacePackage, scratch: string): Promise<readonly string[]> {
  const unpackedInto = join(scratch, folderName);
  await mkdir(unpackedInto);
  const tarball = join(scratch, `${folderName}.tgz`);
  const packing = await runCommand("pnpm", ["pack", "--out", tarball], { cwd: folder });
  if (packing.code !== 0) return [`pnpm pack: ${packing.output}`];
  return await checkPackedPackage(tarball, unpackedInto);
}

const scratch = await mkdtemp(join(tmpdir(), "tidemark-pack-"));
try {
  for (const workspacePackage of publicPackages()) {
    // One after the other: each starts programs of its own, and the order of the report stays.
    const complaints = await packAndCheck(workspacePackage, scratch);
    const { name } = workspacePackage.manifest;
    process.stdout.write(complaints.length === 0 ? `ok      ${name}\n` : `FAILED  ${name}\n`);
    for (const complaint of complaints) process.stdout.write(`${complaint.replaceAll(/^/gm, "    ")}\n`);
    if (complaints.length > 0) process.exitCode = 1;
  }
} finally {
  await rm(scratch, { recursive: true });
}
