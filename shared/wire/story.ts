import type { ShardId } from "../ids.ts";
import { LIMITS } from "../limits.ts";
import { type ItemRange, type LeaderStory, STORY_KINDS, type StoryLine } from "../story.ts";
import { checkCount, checkFinite, checkList, checkNodeId, checkText, type Fields, invalid } from "./codec.ts";

/** A leader's story as it came from a peer. @throws FRAME_INVALID */
export function decodeLeaderStory(json: string): LeaderStory {
  let fields: unknown;
  try {
    fields = JSON.parse(json);
  } catch {
    throw invalid("a story is not JSON");
  }
  const f = asFields(fields, "a story");
  return {
    term: checkCount(f.term, "term"),
    leader: checkNodeId(f.leader, "leader"),
    sinceMs: checkFinite(f.sinceMs, "sinceMs"),
    lines: checkList(f.lines, "lines", LIMITS.storyLinesPerJob, checkLine),
    linesDropped: checkCount(f.linesDropped, "lines dropped"),
  };
}

function asFields(value: unknown, what: string): Fields {
  if (typeof value !== "object" || value === null) throw invalid(`${what} is not an object`);
  return value as Fields;
}

function checkLine(value: unknown): StoryLine {
  const f = asFields(value, "a line");
  const kind = STORY_KINDS.find((known) => known === f.kind);
  if (!kind) throw invalid("a line has an unknown kind");
  return {
    atMs: checkFinite(f.atMs, "atMs"),
    kind,
    ...(f.node === undefined ? {} : { node: checkNodeId(f.node, "node") }),
    ...(f.name === undefined ? {} : { name: checkText(f.name, "name") }),
    ...(f.shardId === undefined ? {} : { shardId: checkText(f.shardId, "shard id") as ShardId }),
    items: checkList(f.items, "items", LIMITS.storyRangesMax, checkRange),
    ...(f.itemsMore === undefined ? {} : { itemsMore: checkCount(f.itemsMore, "items") }),
    because: checkText(f.because, "because", LIMITS.becauseBytesMax),
  };
}

function checkRange(value: unknown): ItemRange {
  if (!Array.isArray(value) || value.length !== 2) throw invalid("a range is not a pair");
  return [checkCount(value[0], "item", LIMITS.jobTasksMax), checkCount(value[1], "item", LIMITS.jobTasksMax)];
}
