import { testShortCampaign } from "./short-campaign.ts";

testShortCampaign("postgres", { seed: 3, rounds: 10, transactional: 8 });
