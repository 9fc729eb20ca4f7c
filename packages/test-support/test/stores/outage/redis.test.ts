import { declareOutages } from "./declare-outages.ts";

declareOutages("redis");
