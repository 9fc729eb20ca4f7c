export { checkStoreModel, type StoreModelOptions } from "./check-store-model.ts";
export { testStoreModel } from "./test-store-model.ts";
