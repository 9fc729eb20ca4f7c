/**
 * What the sections of the contract are about that the kit has cases of: headings of docs/contract.md, which does not come
 * with the package.
 */
export const contractSections: Readonly<Record<string, string>> = {
  "3.1": "Claims and commits",
  "3.2": "Positions go forward",
  "3.3": "An error is never an answer",
  "3.4": "Repeating is safe",
  "3.5": "Expiry",
  "3.6": "Sweeping",
  "3.7": "Names",
  "3.8": "What is stored comes back",
  "3.9": "No call hangs",
  "3.10": "Cost",
  "3.11": "Recreation",
  "3.12": "Listing",
  "3.13": "Deleting",
  "3.14": "Namespaces",
  "3.15": "Durability",
  "3.16": "Transactions",
  "3.17": "Secrets",
  "3.18": "Capabilities",
  "3.19": "Errors",
  "3.22": "Late creates",
  "4.1": "Reading",
  "4.2": "Writing",
  "4.3": "Listing",
  "4.4": "Reclaiming",
  "4.5": "Values and versions",
  "4.6": "Keys",
  "4.7": "Errors",
  "4.8": "Giving up and closing",
};
