import { existsSync, statSync } from "node:fs";
import { join, posix } from "node:path";
import type { Page } from "./pages.ts";
import { repositoryUrl, rootFolder } from "./repository.ts";

/** Its listing on GitHub is a page here. */
const DECISIONS = "docs/decisions";

/**
 * Where a link of a page leads on the site. What is no page there is a file of the repository, on GitHub.
 *
 * @param source - The path in the repository of the page with the link.
 * @param target - As it is written, for example `../core/README.md#options`.
 * @throws Error if it leads nowhere.
 */
export function siteLink(source: string, target: string, pages: readonly Page[]): string {
  const own = `${repositoryUrl}/blob/main/`;
  const isOwn = target.startsWith(own);
  if (target.startsWith("#") || (!isOwn && /^[a-z][a-z+.-]*:/i.test(target))) return target;
  const [path = "", anchor] = (isOwn ? target.slice(own.length) : target).split("#", 2);
  const from = isOwn ? "." : posix.dirname(source);
  const file = posix.normalize(posix.join(from, decodeURIComponent(path))).replace(/\/$/, "");
  const suffix = anchor === undefined ? "" : `#${anchor}`;
  const page = pages.find((candidate) => candidate.source === file)?.page ?? readmePage(file, pages);
  if (page !== undefined) return `/${page.replace(/(^|\/)index$/, "$1")}${suffix}`;
  if (file === DECISIONS) return `/decisions/${suffix}`;
  const whole = join(rootFolder, file);
  if (file.startsWith("..") || !existsSync(whole)) throw new Error(`${source}: the link ${target} leads nowhere`);
  return `${repositoryUrl}/${statSync(whole).isDirectory() ? "tree" : "blob"}/main/${file}${suffix}`;
}

/** GitHub shows a folder's README below its listing. */
function readmePage(folder: string, pages: readonly Page[]): string | undefined {
  return pages.find(({ source }) => source === `${folder}/README.md`)?.page;
}
