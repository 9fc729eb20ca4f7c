import type { ClaimEntry, OffsetFilter, OffsetKey } from "@tidemark/core";
import type { StoredOffset } from "@tidemark/core/driver";
import type { Collection, Document } from "mongodb";
import type { RequestOptions } from "./guarded-writes.ts";
import { recordId, recordIdRange } from "./record-id.ts";
import {
  readDocument,
  readFound,
  type RememberedClaim,
  type StoredDocument,
  UnreadableDocumentError,
} from "./stored-document.ts";
import { VISIBLE_FILTER } from "./update-pipelines.ts";

/** The most documents of one page of a listing. */
const PAGE_DOCUMENTS = 1_000;

/** What is stored under a key and visible: a record, what cannot be read, or `undefined`. */
export type Found = StoredOffset | UnreadableDocumentError | undefined;

/** Reads a namespace's records. */
export class RecordReader {
  readonly #collection: Collection<StoredDocument>;
  readonly #namespace: string;

  constructor(collection: Collection<StoredDocument>, namespace: string) {
    this.#collection = collection;
    this.#namespace = namespace;
  }

  /** Reads one document that is under a key. */
  read(key: OffsetKey, document: Document): StoredOffset | UnreadableDocumentError {
    return readable(() => readDocument(this.#namespace, key, document));
  }

  /** What is under each key, in the order asked. */
  async find(keys: readonly OffsetKey[], options: RequestOptions): Promise<Found[]> {
    const ids = keys.map((key) => recordId(this.#namespace, key));
    const documents = await this.#collection
      .find<Document>(
        { _id: { $in: ids }, ...VISIBLE_FILTER },
        { ...options, projection: { claims: 0 }, batchSize: PAGE_DOCUMENTS + 1 },
      )
      .toArray();
    const byId = new Map(documents.map((document) => [document["_id"] as string, document]));
    return keys.map((key, index) => {
      const document = byId.get(ids[index] ?? "");
      return document && this.read(key, document);
    });
  }

  /** What a call of `claim` found, by id; `undefined` is nothing. A claim without an entry was deleted meanwhile. */
  async rememberedBy(
    entries: readonly ClaimEntry[],
    call: string,
    options: RequestOptions,
  ): Promise<Map<string, Found>> {
    const remembered = new Map<string, Found>();
    if (entries.length === 0) return remembered;
    const documents = await this.#collection
      .find<Pick<StoredDocument, "_id" | "claims">>(
        { _id: { $in: entries.map(({ key }) => recordId(this.#namespace, key)) } },
        { ...options, projection: { claims: { $elemMatch: { call } } }, batchSize: PAGE_DOCUMENTS + 1 },
      )
      .toArray();
    for (const { _id, claims = [] } of documents) {
      const claim = claims.find((each: RememberedClaim) => each.call === call);
      if (claim === undefined) continue;
      const { found } = claim;
      remembered.set(_id, found ? readable(() => readFound({ ...found })) : undefined);
    }
    return remembered;
  }

  /** Documents that may match a filter, page by page. `which` is a part of the query, `request` is asked for each page. */
  async *pages(
    filter: OffsetFilter,
    which: Document,
    request: () => RequestOptions,
    projection: Document = { claims: 0 },
  ): AsyncGenerator<Document[], void, undefined> {
    const range = recordIdRange(this.#namespace, filter);
    const fields = { namespace: this.#namespace, ...filter };
    // Without a topic or partition the range says it all, and damaged fields are seen.
    const matching = filter.topic === undefined && filter.partition === undefined ? {} : fields;
    let after = range.$gt;
    for (;;) {
      const documents: Document[] = await this.#collection
        .find<Document>(
          { ...matching, _id: { $gt: after, $lt: range.$lt }, ...which },
          { ...request(), sort: { _id: 1 }, limit: PAGE_DOCUMENTS, batchSize: PAGE_DOCUMENTS + 1, projection },
        )
        .toArray();
      if (documents.length > 0) yield documents;
      const last: unknown = documents.at(-1)?.["_id"];
      if (documents.length < PAGE_DOCUMENTS || typeof last !== "string") return;
      after = last;
    }
  }
}

function readable(read: () => StoredOffset): StoredOffset | UnreadableDocumentError {
  try {
    return read();
  } catch (error) {
    if (error instanceof UnreadableDocumentError) return error;
    throw error;
  }
}
