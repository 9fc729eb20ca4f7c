import { randomUUID } from "node:crypto";
import type { OffsetKey } from "@tidemark/core";
import { createWorkspace, type Workspace } from "../support/workspace.ts";

/** A store that the command line is tried on. */
export interface StoreFixture {
  /** What `--store` gets; a file is looked for in the workspace. */
  readonly url: string;
  /** What the store's client takes from the environment. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Puts something that is no record into the place of a record that is there. */
  corrupt(place: StoredPlace): Promise<void>;
}

/** Where a record lies. */
export interface StoredPlace {
  readonly key: OffsetKey;
  readonly namespace: string;
  /** The workspace's, for a store of files. */
  readonly folder: string;
}

/** A workspace whose positions lie in a store of servers, under a namespace of their own. */
export interface StoreWorkspace extends Workspace {
  readonly namespace: string;
}

/** Makes a workspace for a store: commands need neither `--store` nor `--namespace`. */
export async function createStoreWorkspace({
  url,
  environment,
}: Omit<StoreFixture, "corrupt">): Promise<StoreWorkspace> {
  const namespace = `cli-${randomUUID()}`;
  const workspace = await createWorkspace({
    ...environment,
    TIDEMARK_STORE: url,
    TIDEMARK_NAMESPACE: namespace,
  });
  return Object.assign(workspace, { namespace });
}
