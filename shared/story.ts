import type { JobId, NodeId, ShardId } from "./ids.ts";
import type { IgnoredReport, JobState, LostAttempt } from "./job.ts";

/** What the leader did about a job, each kept with its cause. */
export const STORY_KINDS = [
  "opened",
  "adopted",
  "leased",
  "hedged",
  "covered",
  "takenBack",
  "refused",
  "rested",
  "suspected",
  "failed",
  "delayed",
  "givenUp",
  "quarantined",
  "recorded",
  "paused",
  "resumed",
] as const;
export type StoryKind = (typeof STORY_KINDS)[number];

/** First and last item, both included. */
export type ItemRange = [from: number, to: number];

/** One decision. */
export interface StoryLine {
  /** By the leader's clock. */
  atMs: number;
  kind: StoryKind;
  node?: NodeId;
  /** The node's name then. */
  name?: string;
  shardId?: ShardId;
  /** Empty: the whole job. */
  items: ItemRange[];
  /** More items than the ranges say. */
  itemsMore?: number;
  /** The rest of a sentence: "attic is gone". */
  because: string;
}

/** What one leader remembers of a job: the newest decisions of its term. */
export interface LeaderStory {
  term: number;
  leader: NodeId;
  /** When it took over. */
  sinceMs: number;
  lines: StoryLine[];
  /** Older ones that were not kept, or did not fit in the answer. */
  linesDropped: number;
}

/** What the ledger knows of one item, whoever led then. */
export interface ItemStory {
  item: number;
  name: string;
  recorded?: {
    node: NodeId;
    shardId: ShardId;
    finishedAtMs: number;
    durationMs: number;
    recordedAtIndex: number;
    /** Of an item that failed. */
    error?: string;
  };
  lostAttempts: LostAttempt[];
}

/** Why a job, one of its shards or one of its items went as it did. */
export interface JobStory {
  jobId: JobId;
  state: JobState;
  submittedAtMs: number;
  endedAtMs?: number;
  items: number;
  itemsRecorded: number;
  itemsFailed: number;
  /** Absent: no leader answered. */
  leader?: LeaderStory;
  /** Asked for, or touched by the shard asked for, or (for a whole job) those with something to tell; the first ones. */
  itemStories: ItemStory[];
  itemStoriesMore: number;
  ignoredReports: IgnoredReport[];
  /** Names of the nodes spoken of. */
  names: Record<NodeId, string>;
}

export const isIn = (ranges: readonly ItemRange[], item: number): boolean =>
  ranges.some(([from, to]) => from <= item && item <= to);
