import { testShortCampaign } from "./short-campaign.ts";

testShortCampaign("sqlite", { rounds: 16, transactional: 16 });
