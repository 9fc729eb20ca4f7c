import { declareOutages } from "./declare-outages.ts";

await declareOutages("postgres");
