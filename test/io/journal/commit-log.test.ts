import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { beforeAll, expect, test } from "vitest";
import { findLostMiddle } from "../../../agent/io/journal/commit-log.ts";
import { seededRandomness } from "../../support/virtual-clock.ts";

/** As LevelDB writes it: small writes, some that span blocks, some that end just at one. */
const SIZES = [10, 300, 70_000, 5, 32_700, 40, 40_000, 1, 20, 90_000, 12];
let log: Uint8Array;
/** What LevelDB goes on with after it was closed and opened. */
let laterLog: Uint8Array;
/** Where each write ends. */
const ends: number[] = [];

beforeAll(async () => {
  const path = mkdtempSync(join(tmpdir(), "skein-test-"));
  const level = new ClassicLevel<string, Uint8Array>(path, { valueEncoding: "view" });
  const logOf = (): string => join(path, readdirSync(path).find((name) => name.endsWith(".log"))!);
  for (const [place, size] of SIZES.entries()) {
    await level.put(`key ${place}`, new Uint8Array(size).fill(place), { sync: true });
    ends.push(readFileSync(logOf()).length);
  }
  log = new Uint8Array(readFileSync(logOf()));
  await level.close();
  await level.open();
  await level.put("later", new Uint8Array(100), { sync: true });
  laterLog = new Uint8Array(readFileSync(logOf()));
  await level.close();
  rmSync(path, { recursive: true });
});

const flipped = (at: number, bit = 1): Uint8Array => {
  const copy = new Uint8Array(log);
  copy[at]! ^= bit;
  return copy;
};

test("a log as LevelDB left it has lost nothing", () => {
  expect(findLostMiddle([log])).toBeUndefined();
});

test("a log cut off anywhere, as a power cut does, has lost at most its end", () => {
  const { random } = seededRandomness(1);
  const cuts = [...ends, ...Array.from({ length: 25 }, () => Math.floor(random() * log.length))];
  for (const cut of cuts) expect(findLostMiddle([log.subarray(0, cut)]), `cut at ${cut}`).toBeUndefined();
});

test("an end that the disk never wrote, of zeros or of garbage, is a torn end", () => {
  const { random } = seededRandomness(2);
  const lastBegins = ends.at(-2)!;
  const zeros = new Uint8Array(log).fill(0, lastBegins + 3);
  const garbage = new Uint8Array(log).map((byte, at) => (at < lastBegins ? byte : Math.floor(random() * 256)));
  expect(findLostMiddle([zeros])).toBeUndefined();
  expect(findLostMiddle([garbage])).toBeUndefined();
});

test("an end that shows what an older file held is a torn end", () => {
  const torn = new Uint8Array(log.length + 64 * 1024);
  torn.set(log.subarray(0, ends.at(-2)! + 5));
  // Blocks of an older log, at the places of blocks as a file system would hand them out.
  torn.set(log.subarray(0, 32 * 1024), Math.ceil(ends.at(-2)! / (32 * 1024)) * 32 * 1024);
  expect(findLostMiddle([torn])).toBeUndefined();
});

test("a flipped bit in any write but the last is a lost middle", () => {
  const { random } = seededRandomness(3);
  for (const [place, end] of ends.slice(0, -1).entries()) {
    const begin = ends[place - 1] ?? 0;
    // The header's bytes each, and some of the rest; the last seven may be the filling of a block.
    const places = [0, 1, 2, 3, 4, 5, 6, ...Array.from({ length: 2 }, () => Math.floor(random() * (end - begin - 7)))];
    for (const at of places)
      expect(
        findLostMiddle([flipped(begin + at, 1 << Math.floor(random() * 8))]),
        `write ${place}, byte ${at}`,
      ).toMatch(/damaged/);
  }
});

test("a flipped bit in the last write cannot be told from a torn one", () => {
  expect(findLostMiddle([flipped(ends.at(-2)! + 9)])).toBeUndefined();
});

test("an earlier log that ends in the middle of a write is a lost middle if a later log goes on", () => {
  const cut = log.subarray(0, ends[2]! - 100);
  expect(findLostMiddle([cut, laterLog])).toMatch(/damaged/);
  expect(findLostMiddle([cut, new Uint8Array(0)])).toBeUndefined();
  expect(findLostMiddle([log, laterLog])).toBeUndefined();
});
