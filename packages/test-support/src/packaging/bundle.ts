/** Bundles all packages: the part of the build that comes after the types. */
import { bundlePackages } from "./bundle-packages.ts";

await bundlePackages();
