import { testShortSharing, testTransactions } from "./short-sharing.ts";

testShortSharing("mongo");
testTransactions("mongo");
