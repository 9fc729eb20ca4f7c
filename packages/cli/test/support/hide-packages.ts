/** Loaded before a command by withoutPackages: looks hidden packages up from where nothing is installed. */
import { registerHooks } from "node:module";

const hidden = new Set(process.env["HIDDEN_PACKAGES"]?.split(","));
const repository = new URL("../../../../", import.meta.url).href;

registerHooks({
  resolve(specifier, context, nextResolve) {
    const fromHere = context.parentURL?.startsWith(repository) === true;
    return nextResolve(specifier, fromHere && hidden.has(specifier) ? { ...context, parentURL: "file:///" } : context);
  },
});
