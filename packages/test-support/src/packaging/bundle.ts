/** Bundles the package in the working directory: a part of its build, after its types. */
import { bundlePackage } from "./bundle-package.ts";
import { publicPackages } from "./workspace.ts";

const workspacePackage = publicPackages().find(({ folder }) => folder === process.cwd());
if (workspacePackage === undefined) throw new Error(`${process.cwd()} is no package that is published`);
await bundlePackage(workspacePackage);
