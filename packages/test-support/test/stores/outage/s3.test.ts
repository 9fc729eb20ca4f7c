import { declareOutages } from "./declare-outages.ts";

declareOutages("s3");
