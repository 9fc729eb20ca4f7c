import { testShortCampaign } from "./short-campaign.ts";

testShortCampaign("memory", { rounds: 60, transactional: 0 });
