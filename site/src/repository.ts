import { fileURLToPath } from "node:url";

/** The repository's root folder. */
export const rootFolder: string = fileURLToPath(new URL("../../", import.meta.url));

/** Where people read and change it. */
export const repositoryUrl = "https://github.com/tidemark-js/tidemark";

/** The path below the host that GitHub Pages serves the site at. */
export const sitePath = "/tidemark/";
