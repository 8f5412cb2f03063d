import { createHash } from "node:crypto";
import { SkeinError } from "../../../shared/errors.ts";
import type { Explanation } from "../../../shared/explanation.ts";
import type { JobId } from "../../../shared/ids.ts";
import type { Receipt } from "../../../shared/job.ts";
import { readPageText, wordRecall } from "../../../shared/page-text.ts";
import { verifyWhole } from "../verify-whole.ts";
import type { LocalAgent } from "./local-fleet.ts";
import type { DemoPage } from "./pages.ts";
import type { Watch } from "./watch.ts";

/** What the demonstration measured, and whether every promise held. */
export interface Verdict {
  jobId: JobId;
  pages: number;
  seconds: number;
  boxes: { name: string; pages: number; shards: number; wasKilled: boolean }[];
  /** From the SIGKILL to a survivor's word that another leads. */
  withoutLeaderMs: number;
  /** From the SIGKILL to the next result in the ledger. */
  nextResultMs: number;
  shardsTakenBack: number;
  pagesTakenBack: number;
  wordRecall: number;
  resultsLost: number;
  resultsRecordedTwice: number;
  copiesMin: number;
  copiesMax: number;
  /** Copies of inputs and results that their holders read back whole, and signatures that are those of the boxes that computed. */
  copiesSound: number;
  signaturesValid: number;
  /** The killed box, started again, tells the same story as the others. */
  caughtUp: boolean;
  promisesHeld: boolean;
  /** Of the first split of the job. */
  explanation: Explanation;
  /** A sentence for each promise that was broken. */
  broken: string[];
}

export interface Evidence {
  jobId: JobId;
  pages: readonly DemoPage[];
  agents: readonly LocalAgent[];
  killed: LocalAgent;
  killedAtMs: number;
  startedAtMs: number;
  watch: Watch;
  explanation: Explanation;
}

/** What a page of the bundled set must at least be read to; below it the models or the operators are broken. */
const RECALL_MIN = 0.9;

/** Reads every output back, checks every hash, and compares what each box has in its ledger. */
export async function judge(evidence: Evidence): Promise<Verdict> {
  const { jobId, pages, agents, killed, killedAtMs, watch } = evidence;
  const receipts = await Promise.all(agents.map((agent) => agent.client.receipt(jobId)));
  const receipt = receipts[0]!;
  const { lost, recall } = await readBack(receipt, pages, agents);
  const twice = recordedTwice(watch);
  const caughtUp = receipts.every((other) => storyOf(other) === storyOf(receipt));
  const verified = await verifyWhole((request) => agents[0]!.client.jobVerify(jobId, request));
  const newLeader = watch.leaders.find((leader) => leader.atMs >= killedAtMs);
  const nextResultAtMs = watch.recordedAtMs.filter((atMs) => atMs > killedAtMs).sort((a, b) => a - b)[0];
  const broken = [
    ...(lost > 0 ? [`${lost} results are lost`] : []),
    ...(twice > 0 ? [`${twice} results were recorded twice`] : []),
    ...(receipt.job.itemsRecorded < pages.length ? ["the job did not end"] : []),
    ...(receipt.copiesMin < 2 ? [`a result has only ${receipt.copiesMin} copies`] : []),
    ...verified.faults.map(({ name, reason }) => `${name ?? "the job"}: ${reason}`),
    ...(verified.signaturesValid < pages.length ? [`only ${verified.signaturesValid} signatures hold`] : []),
    ...(recall < RECALL_MIN ? [`word recall is ${recall.toFixed(3)}`] : []),
    ...(caughtUp ? [] : [`${killed.name} tells another story than the others`]),
    ...(newLeader && nextResultAtMs ? [] : ["nobody took over"]),
  ];
  return {
    jobId,
    pages: pages.length,
    seconds: (performance.now() - evidence.startedAtMs) / 1000,
    boxes: agents.map((agent) => {
      const share = receipt.job.shares.find((one) => one.nodeId === agent.nodeId);
      return {
        name: agent.name,
        pages: share?.itemsRecorded ?? 0,
        shards: share?.shardsRecorded ?? 0,
        wasKilled: agent === killed,
      };
    }),
    withoutLeaderMs: (newLeader?.atMs ?? Number.NaN) - killedAtMs,
    nextResultMs: (nextResultAtMs ?? Number.NaN) - killedAtMs,
    shardsTakenBack: watch.shardsTakenBack,
    pagesTakenBack: watch.itemsTakenBack,
    wordRecall: recall,
    resultsLost: lost,
    resultsRecordedTwice: twice,
    copiesMin: receipt.copiesMin,
    copiesMax: receipt.copiesMax,
    copiesSound: verified.copiesSound,
    signaturesValid: verified.signaturesValid,
    caughtUp,
    promisesHeld: broken.length === 0,
    explanation: evidence.explanation,
    broken,
  };
}

/** A result that cannot be fetched whole from any box is lost, whatever the ledger says. */
async function readBack(
  receipt: Receipt,
  pages: readonly DemoPage[],
  agents: readonly LocalAgent[],
): Promise<{ lost: number; recall: number }> {
  let lost = 0;
  let recall = 0;
  for (const [item, page] of pages.entries()) {
    const output = receipt.results.find((result) => result.item === item)?.output;
    const bytes = output && (await fetchAny(output, agents, item));
    if (!bytes || createHash("sha256").update(bytes).digest("hex") !== output) lost++;
    else recall += wordRecall(page.truth, readPageText(bytes).text);
  }
  return { lost, recall: recall / pages.length };
}

/** Each page from another box, so that all of them are asked. */
async function fetchAny(
  hash: NonNullable<Receipt["results"][number]["output"]>,
  agents: readonly LocalAgent[],
  turn: number,
): Promise<Uint8Array | undefined> {
  const agent = agents[turn % agents.length]!;
  try {
    return await agent.client.getBlob(hash);
  } catch (error) {
    const { code } = SkeinError.from(error);
    if (code === "BLOB_MISSING" || code === "BLOB_HASH_MISMATCH") return undefined;
    throw error;
  }
}

const recordedTwice = (watch: Watch): number => {
  const twice = new Set<number>();
  for (const counts of watch.applied.values()) for (const [item, count] of counts) if (count > 1) twice.add(item);
  return twice.size;
};

/** Who did what, with which outcome, recorded where: must be the same on every box. */
const storyOf = (receipt: Receipt): string =>
  JSON.stringify(
    receipt.results.map(({ item, output, node, shardId, recordedAtIndex }) => [
      item,
      output,
      node,
      shardId,
      recordedAtIndex,
    ]),
  );
