import fc from "fast-check";
import { expect, test } from "vitest";
import { leaderStory } from "../../agent/runtime/leader-story.ts";
import { SkeinError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { StoryLine } from "../../shared/story.ts";
import { decodeLeaderStory } from "../../shared/wire/story.ts";
import { A, B, shard } from "../support/nouns.ts";

const about = { term: 3, leader: A, sinceMs: 1_000 };
const line = (n: number): StoryLine => ({
  atMs: n,
  kind: "leased",
  node: B,
  name: "bench",
  shardId: shard(`job-x/3.${n}`),
  items: [[0, n]],
  because: "it was idle",
});

test("a story comes out as it went in, in the time of the wall clock", () => {
  const json = leaderStory(about, { lines: [line(1), line(2)], linesDropped: 4 }, 500);
  const lines = [line(1), line(2)].map((one) => ({ ...one, atMs: one.atMs + 500 }));
  expect(decodeLeaderStory(json)).toEqual({ ...about, lines, linesDropped: 4 });
});

test("of a story that does not fit, the newest lines are told and the others counted", () => {
  const wide = (n: number): StoryLine => ({
    ...line(n),
    items: Array.from({ length: LIMITS.storyRangesMax }, (_, i) => [4_000, 4_000 + i] as [number, number]),
    because: "ä".repeat(LIMITS.becauseBytesMax / 2),
    name: "n".repeat(LIMITS.nameBytesMax),
  });
  const lines = Array.from({ length: LIMITS.storyLinesPerJob }, (_, n) => wide(n));
  const json = leaderStory(about, { lines, linesDropped: 1 }, 0);
  expect(new TextEncoder().encode(json).length).toBeLessThanOrEqual(LIMITS.storyBytesMax);
  const told = decodeLeaderStory(json);
  expect(told.lines.at(-1)?.atMs).toBe(LIMITS.storyLinesPerJob - 1);
  expect(told.lines.length + told.linesDropped).toBe(LIMITS.storyLinesPerJob + 1);
});

test("whatever a peer says its story is, it is one or FRAME_INVALID", () => {
  const json = leaderStory(about, { lines: [line(1)], linesDropped: 0 }, 0);
  const broken = fc.oneof(
    fc.json(),
    fc.tuple(fc.nat(json.length), fc.string()).map(([at, text]) => json.slice(0, at) + text + json.slice(at + 1)),
  );
  fc.assert(
    fc.property(broken, (text) => {
      try {
        const { lines } = decodeLeaderStory(text);
        for (const { because } of lines) expect(because.length).toBeLessThanOrEqual(LIMITS.becauseBytesMax);
      } catch (error) {
        expect(SkeinError.from(error).code).toBe("FRAME_INVALID");
      }
    }),
  );
});
