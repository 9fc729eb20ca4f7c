import { testShortCampaign } from "./short-campaign.ts";

testShortCampaign("mongo", { seed: 3, rounds: 8, transactional: 6 });
