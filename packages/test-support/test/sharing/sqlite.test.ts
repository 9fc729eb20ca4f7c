import { testShortSharing, testTransactions } from "./short-sharing.ts";

testShortSharing("sqlite");
testTransactions("sqlite");
