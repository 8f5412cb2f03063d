import { refuse } from "../../shared/checks.ts";
import type { ItemRange, ItemStory, JobStory, LeaderStory, StoryKind, StoryLine } from "../../shared/story.ts";
import { print } from "./calls.ts";
import { type CommonOptions, clientFor } from "./options.ts";
import { duration, plain, plural } from "./table.ts";
import type { World } from "./world.ts";

/** `JOB`, `JOB/7.2` for one of its shards, `JOB ITEM` for one input by its name or by its number from 1. */
export async function why(
  what: string,
  input: string | undefined,
  options: CommonOptions,
  world: World,
): Promise<number> {
  const [jobId = "", ...rest] = what.split("/");
  const shard = rest.join("/");
  if (shard && input !== undefined) refuse("why", "takes a shard or an input, not both");
  const item = input !== undefined && /^[1-9]\d{0,8}$/.test(input) ? String(Number(input) - 1) : (input ?? "");
  const client = await clientFor(options, world);
  const story = await client.call((one) => one.jobWhy(jobId, shard, item));
  return print(options, world, story, describeStory(story, shard !== "" || input !== undefined));
}

/** Of a part everything is told; of a whole job, of its items only what went wrong. */
function describeStory(story: JobStory, isPart: boolean): string {
  const lines = (story.leader?.lines ?? []).map((line) => ({ atMs: line.atMs, text: sentenceOf(line) }));
  const known = story.itemStories.flatMap((item) => linesOf(item, story)).filter(({ isLoss }) => isPart || isLoss);
  const told = [...lines, ...known].sort((a, b) => a.atMs - b.atMs);
  const timed = told.map(({ atMs, text }) => `${since(atMs, story)}  ${plain(text)}\n`);
  return `${headOf(story)}\n${timed.join("") || "Nothing is told of it.\n"}${footOf(story)}`;
}

function headOf(story: JobStory): string {
  const { jobId, state, itemsRecorded, items, itemsFailed, submittedAtMs, leader } = story;
  const at = new Date(submittedAtMs).toISOString().slice(0, 19).replace("T", " ");
  const failed = itemsFailed > 0 ? `, ${itemsFailed} of them as failed` : "";
  const head = `${jobId} is ${state}; ${itemsRecorded} of ${items} are recorded${failed}. Times count from its submit, ${at} UTC.\n`;
  return head + (leader ? completeness(leader, story) : "No leader answers, so only what is recorded is told.\n");
}

function completeness(leader: LeaderStory, story: JobStory): string {
  const name = plain(story.names[leader.leader] ?? leader.leader);
  const since = leader.sinceMs - story.submittedAtMs;
  const kept = leader.linesDropped > 0 ? ` but for its first ${plural(leader.linesDropped, "decision")}` : "";
  if (since <= 0) return `The story is complete${kept}: ${name} has led since before, in term ${leader.term}.\n`;
  return `Complete from ${duration(since)} on${kept}, when ${name} took the lead in term ${leader.term}; of before, only what is recorded is told.\n`;
}

function footOf({ itemStoriesMore, ignoredReports, names }: JobStory): string {
  const more = itemStoriesMore > 0 ? `... and ${plural(itemStoriesMore, "more item")} with something to tell.\n` : "";
  const ignored = ignoredReports.map(({ item, node, shardId, because }) => {
    const reason = because === "ended" ? "the job had ended" : "it was recorded already";
    return `Ignored: a report of item ${item + 1} by ${plain(names[node] ?? node)} (${shardOf(shardId)}), for ${reason}.\n`;
  });
  return more + ignored.join("");
}

const since = (atMs: number, { submittedAtMs }: JobStory): string => {
  const seconds = (atMs - submittedAtMs) / 1_000;
  return `${seconds < 0 ? "-" : "+"}${Math.abs(seconds).toFixed(3)} s`.padStart(12);
};

const shardOf = (shardId: string): string => `shard ${shardId.slice(shardId.indexOf("/") + 1)}`;

function itemsText({ items, itemsMore = 0 }: Pick<StoryLine, "items" | "itemsMore">): string {
  const ranges = items.map(([from, to]: ItemRange) => (from === to ? `${from + 1}` : `${from + 1} to ${to + 1}`));
  const more = itemsMore > 0 ? ` and ${itemsMore} more` : "";
  return `${isOne({ items }) ? "item" : "items"} ${ranges.join(", ")}${more}`;
}

const isOne = ({ items }: Pick<StoryLine, "items">): boolean => items.length === 1 && items[0]![0] === items[0]![1];

type Say = (said: { who: string; what: string; were: string; shard: string; because: string }) => string;
const SENTENCES: Record<StoryKind, Say> = {
  opened: ({ because }) => `The leader took the job on: ${because}`,
  adopted: ({ who, what, shard, because }) => `${who} kept ${what} (${shard}), because ${because}`,
  leased: ({ who, what, shard, because }) => `${who} got ${what} (${shard}), because ${because}`,
  hedged: ({ who, what, shard, because }) => `${who} got ${what} a second time (${shard}), because ${because}`,
  covered: ({ who, what, shard, because }) => `${who} got ${what} as well (${shard}), because ${because}`,
  takenBack: ({ who, what, were, shard, because }) =>
    `${what} (${shard}) ${were} taken back from ${who}, because ${because}`,
  refused: ({ who, what, shard, because }) => `${who} refused ${what} (${shard}), because ${because}`,
  rested: ({ who, because }) => `${who} is left alone for a while, because ${because}`,
  suspected: ({ who, what, shard, because }) => `${who} fell silent with ${what} (${shard}): ${because}`,
  failed: ({ what, because }) => `${what} failed at ${because}`,
  delayed: ({ what, because }) => `${what} could not begin at ${because}`,
  givenUp: ({ what, because }) => `${what} was given up, because ${because}`,
  quarantined: ({ what, because }) => `${what} was put in quarantine, because ${because}`,
  recorded: ({ who, what, shard, because }) => `${who} is done with ${what} (${shard}): ${because}`,
  paused: ({ because }) => `The job was paused, because ${because}`,
  resumed: ({ because }) => `The job goes on, because ${because}`,
};

function sentenceOf(line: StoryLine): string {
  const who = line.name ?? line.node ?? "";
  const shard = line.shardId ? shardOf(line.shardId) : "";
  const were = isOne(line) ? "was" : "were";
  const text = SENTENCES[line.kind]({ who, what: itemsText(line), were, shard, because: line.because });
  const sentence = text.startsWith("item") ? `I${text.slice(1)}` : text;
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}

/** What the ledger keeps of one item: attempts that came to nothing, and the record. */
function linesOf(
  { item, name, recorded, lostAttempts }: ItemStory,
  { names, leader }: JobStory,
): { atMs: number; text: string; isLoss: boolean }[] {
  const known = new Set(leader?.lines.map((line) => line.shardId));
  const lost = lostAttempts
    .filter(({ shardId }) => !known.has(shardId))
    .map(({ node, shardId, leasedAtMs, endedAtMs, because }) => ({
      atMs: endedAtMs,
      text: `${name} (item ${item + 1}) came to nothing at ${names[node] ?? node} (${shardOf(shardId)}) after ${duration(endedAtMs - leasedAtMs)}: ${because}.`,
      isLoss: true,
    }));
  if (!recorded) return lost;
  const { node, shardId, finishedAtMs, durationMs, recordedAtIndex, error } = recorded;
  const by = `${names[node] ?? node} (${shardOf(shardId)})`;
  const text = error
    ? `${name} (item ${item + 1}) is recorded as failed at index ${recordedAtIndex}, last tried by ${by}: ${error}`
    : `${name} (item ${item + 1}) was done by ${by} in ${duration(durationMs)} and is recorded at index ${recordedAtIndex}.`;
  return [...lost, { atMs: finishedAtMs, text, isLoss: error !== undefined }];
}
