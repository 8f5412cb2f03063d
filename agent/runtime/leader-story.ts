import { LIMITS } from "../../shared/limits.ts";
import type { LeaderStory, StoryLine } from "../../shared/story.ts";

/** The newest lines that fit, as JSON. `aheadMs`: how far the wall clock is ahead of the one the lines were written by. */
export function leaderStory(
  about: Pick<LeaderStory, "term" | "leader" | "sinceMs">,
  told: { lines: readonly StoryLine[]; linesDropped: number },
  aheadMs: number,
): string {
  const encoder = new TextEncoder();
  const kept: string[] = [];
  let left: number = LIMITS.storyBytesMax - 1_024;
  for (const line of told.lines.toReversed()) {
    const json = JSON.stringify({ ...line, atMs: line.atMs + aheadMs });
    left -= encoder.encode(json).length + 1;
    if (left < 0) break;
    kept.push(json);
  }
  const linesDropped = told.linesDropped + told.lines.length - kept.length;
  const head = JSON.stringify({ ...about, linesDropped });
  return `${head.slice(0, -1)},"lines":[${kept.reverse().join(",")}]}`;
}
