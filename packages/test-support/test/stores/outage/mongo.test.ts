import { declareOutages } from "./declare-outages.ts";

declareOutages("mongo");
