import { testShortCampaign } from "./short-campaign.ts";

testShortCampaign("s3", { seed: 3, rounds: 14, transactional: 0 });
