import { testShortSharing, testTransactions } from "./short-sharing.ts";

testShortSharing("postgres");
testTransactions("postgres");
