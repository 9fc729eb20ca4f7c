// Lets jest read the sources as Node does: without their types.
const { stripTypeScriptTypes } = require("node:module");

module.exports = { process: (source) => ({ code: stripTypeScriptTypes(source) }) };
