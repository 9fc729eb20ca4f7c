import { testShortCampaign } from "./short-campaign.ts";

testShortCampaign("redis", { seed: 2, rounds: 14, transactional: 0 });
