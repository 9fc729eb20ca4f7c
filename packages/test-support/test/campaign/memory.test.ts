import { testShortCampaign } from "./short-campaign.ts";

testShortCampaign("memory", { seed: 3, rounds: 60, transactional: 0 });
