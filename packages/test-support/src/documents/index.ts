export { capabilityTable, type StoreVariant } from "./capability-table.ts";
export { expectGenerated } from "./generated-block.ts";
