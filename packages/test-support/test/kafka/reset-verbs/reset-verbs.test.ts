import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openKafkaLog } from "@tidemark/source-kafka";
import { expectGenerated } from "@tidemark/test-support/documents";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeWithKafkaTools, PATIENT_KAFKA } from "@tidemark/test-support/servers";
import { askKafka, openKafkaGroups } from "./ask-kafka.ts";
import { askTidemark, openTidemarkPositions } from "./ask-tidemark.ts";
import { inTurns } from "./in-turns.ts";
import { resetRequests } from "./reset-requests.ts";
import { makeResetTopics, type ResetTopics } from "./reset-topics.ts";
import { type ComparedRequest, resultOf, resultTable } from "./result-table.ts";
import { placeOf, type ToolAnswer } from "./tool-answer.ts";

const DOCUMENT = fileURLToPath(new URL("../../../../../docs/reset-verbs.md", import.meta.url));
/** Each request is a start of Java and one of Node. */
const AT_ONCE = 2;
/** All of them, on a machine that is busy with other tests. */
const SETUP_TIMEOUT_MS = 300_000;

await describeWithKafkaTools((server, tools) => {
  const cleanup = new AsyncDisposableStack();
  let topics: ResetTopics;
  let compared: readonly ComparedRequest[];

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), "tidemark-reset-verbs-"));
    cleanup.defer(() => rm(folder, { recursive: true, force: true }));
    const broker = new URL(server.url).host;
    const log = cleanup.use(await openKafkaLog({ brokers: [broker], ...PATIENT_KAFKA }));
    topics = cleanup.use(await makeResetTopics(log, broker));
    const groups = cleanup.use(openKafkaGroups(tools, broker, folder));
    const positions = cleanup.use(await openTidemarkPositions(folder, server.url));
    compared = await inTurns(resetRequests, AT_ONCE, async (request, index) => {
      const consumer = `group-${index}-${randomUUID()}`;
      const kafka = await askKafka(groups, topics, consumer, request);
      const tidemark = await askTidemark(positions, topics, consumer, request);
      return { request, kafka, tidemark };
    });
  }, SETUP_TIMEOUT_MS);
  afterAll(() => cleanup.disposeAsync());

  const asked = (index: number): ComparedRequest => {
    const found = compared[index];
    if (found === undefined) throw new Error("the request was not made");
    return found;
  };
  const toldBy = ({ kafka, tidemark }: ComparedRequest): string => `${kafka.said}\n--\n${tidemark.said}`;

  it.each(resetRequests.map(({ request }, index) => ({ request, index })))(
    "$request: the same positions, but for what is wanted",
    ({ index }) => {
      const request = asked(index);
      for (const place of request.request.partitions) {
        const [ofKafka, ours] = [request.kafka, request.tidemark].map((answer) => resultOf(answer, topics, place));
        // A difference that is no longer one is to be told as well.
        if (place.because === undefined) expect(ours, `${place.what}\n${toldBy(request)}`).toBe(ofKafka);
        else expect(ours, `${place.what}\n${toldBy(request)}`).not.toBe(ofKafka);
      }
    },
  );

  it.each(resetRequests.map(({ request }, index) => ({ request, index })))(
    "$request: what is printed is what is stored, and nothing else moves",
    ({ index }) => {
      const { request, kafka, tidemark } = asked(index);
      const before = new Map(
        request.partitions.flatMap(({ topic, partition, stored }) =>
          stored === undefined ? [] : [[placeOf(topics.name(topic), partition), stored] as const],
        ),
      );
      for (const answer of [kafka, tidemark]) {
        expect(answer.stored, answer.said).toEqual(request.mode === "plan" ? before : expectedOf(before, answer));
      }
      // Both tell the same partitions, where both do it.
      if (!kafka.isRefused && !tidemark.isRefused) {
        expect([...tidemark.printed.keys()].sort(), toldBy(asked(index))).toEqual([...kafka.printed.keys()].sort());
      }
    },
  );

  it("is written down", async () => {
    const wanted = resetRequests.flatMap(({ partitions }) => partitions);
    expect(wanted.length).toBeGreaterThanOrEqual(25);
    await expectGenerated(DOCUMENT, "results", resultTable(compared, topics));
  });
});

/** What is stored after an answer: what was, and over it what was printed. */
function expectedOf(before: ReadonlyMap<string, bigint>, { printed }: ToolAnswer): Map<string, bigint> {
  return new Map([...before, ...printed]);
}
