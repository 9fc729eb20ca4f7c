import { describe } from "vitest";
import { declareInstallation } from "./declare-installation.ts";

describe("the next release, installed by pnpm in an empty project", () => {
  declareInstallation("pnpm");
});
