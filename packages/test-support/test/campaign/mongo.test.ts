import { testShortCampaign } from "./short-campaign.ts";

testShortCampaign("mongo", { rounds: 10, transactional: 8 });
