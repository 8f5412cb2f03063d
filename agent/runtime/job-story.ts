import { refuse } from "../../shared/checks.ts";
import type { NodeView } from "../../shared/fleet.ts";
import type { NodeId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import { type ItemStory, isIn, type JobStory, type LeaderStory, type StoryLine } from "../../shared/story.ts";
import type { JobRecord } from "../core/ledger/index.ts";

/**
 * Why a job went as it did: what the leader of now remembers, and what the ledger knows whoever led then. Of one shard: what
 * was decided of it and of its items; of one item: what was decided of it. @throws BAD_REQUEST
 */
export function jobStory(
  job: JobRecord,
  nodes: readonly NodeView[],
  leader: LeaderStory | undefined,
  part: { shard?: string | undefined; item?: string | undefined },
): JobStory {
  const items = itemsOf(job, leader, part);
  const lines = leader?.lines.filter((line) => items === undefined || touches(line, items)) ?? [];
  const told = [...(items ?? job.inputs.keys())].map((item) => itemStory(job, item));
  const wanted = told.filter((one) => items !== undefined || one.lostAttempts.length > 0 || one.recorded?.error);
  const itemStories = wanted.slice(0, LIMITS.storyItemsMax);
  const ignoredReports = job.ignoredReports.filter(({ item }) => items === undefined || items.has(item));
  const names = new Map(nodes.map(({ nodeId, name }) => [nodeId, name]));
  for (const { node, name } of lines) if (node && name && !names.has(node)) names.set(node, name);
  return {
    jobId: job.jobId,
    state: job.state,
    submittedAtMs: job.submittedAtMs,
    ...(job.endedAtMs === undefined ? {} : { endedAtMs: job.endedAtMs }),
    items: job.inputs.length,
    itemsRecorded: job.recordedCount,
    itemsFailed: job.failedCount,
    ...(leader ? { leader: { ...leader, lines } } : {}),
    itemStories,
    itemStoriesMore: wanted.length - itemStories.length,
    ignoredReports,
    names: Object.fromEntries(names) as Record<NodeId, string>,
  };
}

/** The items asked for; undefined for all. */
function itemsOf(
  job: JobRecord,
  leader: LeaderStory | undefined,
  { shard, item }: { shard?: string | undefined; item?: string | undefined },
): Set<number> | undefined {
  if (item !== undefined) return new Set([itemNamed(job, item)]);
  if (shard === undefined) return undefined;
  const shardId = `${job.jobId}/${shard}`;
  const items = new Set<number>();
  for (const line of leader?.lines ?? [])
    if (line.shardId === shardId)
      for (const [from, to] of line.items)
        for (let one = from; one <= to && one < job.inputs.length; one++) items.add(one);
  for (const [one, result] of job.results.entries())
    if (result && [result, ...(result.lostAttempts ?? [])].some((attempt) => attempt.shardId === shardId))
      items.add(one);
  if (items.size === 0) refuse("shard", `${shard} of ${job.jobId} is not known, or no longer`);
  return items;
}

function itemNamed(job: JobRecord, text: string): number {
  const named = job.inputs.findIndex(({ name }) => name === text);
  const item = named >= 0 ? named : /^\d{1,9}$/.test(text) ? Number(text) : -1;
  if (!job.inputs[item]) refuse("item", `${text} is not among the inputs of ${job.jobId}`);
  return item;
}

const touches = (line: StoryLine, items: ReadonlySet<number>): boolean =>
  line.items.length === 0 || [...items].some((item) => isIn(line.items, item));

function itemStory(job: JobRecord, item: number): ItemStory {
  const result = job.results[item];
  const { name } = job.inputs[item]!;
  if (!result) return { item, name, lostAttempts: [] };
  const { node, shardId, finishedAtMs, durationMs, recordedAtIndex, error, lostAttempts = [] } = result;
  const failed = error ? { error: error.message } : {};
  return {
    item,
    name,
    recorded: { node, shardId, finishedAtMs, durationMs, recordedAtIndex, ...failed },
    lostAttempts,
  };
}
