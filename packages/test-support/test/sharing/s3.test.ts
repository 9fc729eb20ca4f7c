import { testShortSharing } from "./short-sharing.ts";

testShortSharing("s3");
