import { testShortSharing } from "./short-sharing.ts";

testShortSharing("redis");
