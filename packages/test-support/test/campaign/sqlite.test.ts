import { testShortCampaign } from "./short-campaign.ts";

testShortCampaign("sqlite", { seed: 3, rounds: 14, transactional: 12 });
