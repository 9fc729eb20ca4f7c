import { testShortCampaign } from "./short-campaign.ts";

testShortCampaign("redis", { seed: 2, rounds: 10, transactional: 8 });
