import { testShortCampaign } from "./short-campaign.ts";

testShortCampaign("s3", { rounds: 16, transactional: 0 });
