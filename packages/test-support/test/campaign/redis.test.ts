import { testShortCampaign } from "./short-campaign.ts";

testShortCampaign("redis", { rounds: 12, transactional: 10 });
