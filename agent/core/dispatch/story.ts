import type { JobId, NodeId, ShardId } from "../../../shared/ids.ts";
import type { LostAttempt } from "../../../shared/job.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { ItemRange, StoryLine } from "../../../shared/story.ts";
import type { LeasedShard } from "./records.ts";

interface JobChapter {
  lines: StoryLine[];
  linesDropped: number;
  /** By item; the newest. Times are this room's. */
  lost: Map<number, LostAttempt[]>;
}

/**
 * Why everything was done, kept with each decision: the newest lines of each job, and what came to nothing of each item.
 * Times are those given to `step`; whoever tells the story turns them into a clock's.
 */
export class Story {
  /** In the order in which the jobs were first spoken of. */
  readonly #chapters = new Map<JobId, JobChapter>();
  readonly #closed = new Set<JobId>();

  tell(jobId: JobId, line: StoryLine): void {
    const chapter = this.#chapterOf(jobId);
    chapter.lines.push({ ...line, because: cut(line.because) });
    if (chapter.lines.length <= LIMITS.storyLinesPerJob) return;
    chapter.lines.shift();
    chapter.linesDropped++;
  }

  lines(jobId: JobId): { lines: readonly StoryLine[]; linesDropped: number } {
    return this.#chapters.get(jobId) ?? { lines: [], linesDropped: 0 };
  }

  /** A lease of these items came to nothing. */
  lose(shard: LeasedShard, items: Iterable<number>, because: string, nowMs: number): void {
    const { lost } = this.#chapterOf(shard.jobId);
    for (const item of items) {
      const attempts = lost.get(item) ?? [];
      lost.set(item, attempts);
      attempts.push(attemptOf(shard, because, nowMs));
      if (attempts.length > LIMITS.lostAttemptsMax) attempts.shift();
    }
  }

  /** The newest attempts at an item but those of the shard that brought its result. */
  lostOf(jobId: JobId, item: number, but: ShardId): LostAttempt[] {
    return (this.#chapters.get(jobId)?.lost.get(item) ?? []).filter(({ shardId }) => shardId !== but);
  }

  lastLoss(jobId: JobId, item: number): LostAttempt | undefined {
    return this.#chapters.get(jobId)?.lost.get(item)?.at(-1);
  }

  /** The job has ended: its lines are kept for a while. */
  close(jobId: JobId): void {
    this.#chapters.get(jobId)?.lost.clear();
    this.#closed.add(jobId);
  }

  #chapterOf(jobId: JobId): JobChapter {
    const known = this.#chapters.get(jobId);
    if (known) return known;
    if (this.#chapters.size >= LIMITS.storyJobsMax) this.#forgetOne();
    const chapter: JobChapter = { lines: [], linesDropped: 0, lost: new Map() };
    this.#chapters.set(jobId, chapter);
    return chapter;
  }

  /** The one that ended first, or else the oldest. */
  #forgetOne(): void {
    const [ended] = this.#closed;
    const [oldest] = this.#chapters.keys();
    const forgotten = ended ?? oldest!;
    this.#closed.delete(forgotten);
    this.#chapters.delete(forgotten);
  }
}

export const attemptOf = (shard: LeasedShard, because: string, endedAtMs: number): LostAttempt => ({
  node: shard.node,
  shardId: shard.shardId,
  leasedAtMs: shard.leasedAtMs,
  endedAtMs,
  because: cut(because),
  isHedge: shard.kind === "hedge" || shard.kind === "cover",
});

/** What a line says of a shard and its node. */
export const onShard = (
  { shardId, node }: { shardId: ShardId; node: NodeId },
  name: string,
): Pick<StoryLine, "shardId" | "node" | "name"> => ({ shardId, node, name });

/** Items as ranges; those beyond the bound are only counted. */
export function rangesOf(items: Iterable<number>): Pick<StoryLine, "items" | "itemsMore"> {
  const ranges: ItemRange[] = [];
  for (const item of [...items].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last && item <= last[1] + 1) last[1] = item;
    else ranges.push([item, item]);
  }
  const beyond = ranges.splice(LIMITS.storyRangesMax);
  if (beyond.length === 0) return { items: ranges };
  return { items: ranges, itemsMore: beyond.reduce((sum, [from, to]) => sum + to - from + 1, 0) };
}

/** Texts are bounded in bytes where they travel; names of other boxes are the only ones beyond ASCII. */
export function cut(text: string): string {
  let short = text.slice(0, LIMITS.becauseBytesMax);
  while (bytesOf(short) > LIMITS.becauseBytesMax) short = short.slice(0, -1);
  return short;
}

function bytesOf(text: string): number {
  let bytes = 0;
  for (const letter of text) {
    const point = letter.codePointAt(0)!;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return bytes;
}
