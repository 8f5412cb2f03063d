import { beforeEach, expect, test } from "vitest";
import type { Blobs } from "../../../agent/ports/index.ts";
import { SpareBlobs } from "../../../agent/runtime/spare-blobs.ts";
import { PretendBlobs } from "../../support/pretend-blobs.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";
import { sha256 } from "./sim-node.ts";

const BYTES = new TextEncoder().encode("a page");
const HASH = sha256(BYTES);

let clock: VirtualClock;
let disk: PretendBlobs;
let spare: SpareBlobs;
/** Resolved by the test: until then a removal has taken the name away and not answered. */
let removal: PromiseWithResolvers<void>;

beforeEach(() => {
  clock = new VirtualClock();
  disk = new PretendBlobs();
  disk.keep(HASH, BYTES);
  removal = Promise.withResolvers();
  const blobs: Blobs = disk.open();
  const remove = blobs.remove.bind(blobs);
  blobs.remove = async (hash) => {
    await removal.promise;
    await remove(hash);
  };
  spare = new SpareBlobs(blobs, clock);
});

test("one that nobody wants may go when its time has come, and not before", async () => {
  spare.suspect(HASH, 1_000);
  expect(spare.due(10)).toEqual([]);
  await clock.runUntil(1_000);
  expect(spare.due(10)).toEqual([HASH]);
  removal.resolve();
  expect(await spare.removeSpare(HASH)).toBe(true);
  expect(disk.held().has(HASH)).toBe(false);
});

test("a second suspicion does not put it off, and a sooner one brings it forward", async () => {
  spare.suspect(HASH, 1_000);
  spare.suspect(HASH, 5_000);
  await clock.runUntil(1_000);
  expect(spare.due(10)).toEqual([HASH]);
  spare.clear(HASH);
  spare.suspect(HASH, 5_000);
  spare.suspect(HASH, 1_000);
  await clock.runUntil(2_000);
  expect(spare.due(10)).toEqual([HASH]);
});

test.each<[string, (spare: SpareBlobs) => Promise<unknown>]>([
  ["put", (one) => one.put(BYTES, HASH)],
  ["put without its name", (one) => one.put(BYTES)],
  ["looked for", (one) => one.size(HASH)],
  ["read", (one) => one.read(HASH)],
])("one that is %s is wanted after all", async (_, want) => {
  spare.suspect(HASH, 0);
  await want(spare);
  expect(spare.due(10)).toEqual([]);
  expect(await spare.removeSpare(HASH)).toBe(false);
  expect(disk.held().has(HASH)).toBe(true);
});

test("looking without wanting it, or reading it again for its own sake, changes nothing", async () => {
  spare.suspect(HASH, 0);
  expect(await spare.peek(HASH)).toBe(BYTES.length);
  expect(await spare.verify(HASH)).toBe(true);
  expect(spare.due(10)).toEqual([HASH]);
});

test("nobody is told that a blob is here while it is being removed", async () => {
  spare.suspect(HASH, 0);
  const removed = spare.removeSpare(HASH);
  const size = spare.size(HASH);
  removal.resolve();
  expect(await size).toBeUndefined();
  await removed;
});

test.each([HASH, undefined])("what is put while it is being removed is there afterwards (named: %s)", async (name) => {
  spare.suspect(HASH, 0);
  const removed = spare.removeSpare(HASH);
  const put = spare.put(BYTES, name);
  removal.resolve();
  await Promise.all([removed, put]);
  expect(disk.held().has(HASH)).toBe(true);
});

test("a put without a name that began before the removal is there afterwards, too", async () => {
  removal.resolve();
  spare.suspect(HASH, 0);
  const put = spare.put(BYTES);
  const removed = spare.removeSpare(HASH);
  await Promise.all([removed, put]);
  expect(disk.held().has(HASH)).toBe(true);
});

test("what takes long to come in is not removed before it is told to be here, nor right after", async () => {
  removal.resolve();
  disk.drop(HASH, false);
  const rest = Promise.withResolvers<void>();
  async function* slowly(): AsyncIterable<Uint8Array> {
    yield BYTES.subarray(0, 3);
    await rest.promise;
    yield BYTES.subarray(3);
  }
  const put = spare.put(slowly(), HASH);
  spare.suspect(HASH, 0);
  expect(await spare.removeSpare(HASH)).toBe(false);
  rest.resolve();
  await put;
  expect(spare.due(10)).toEqual([]);
  expect(disk.held().has(HASH)).toBe(true);
});

test("nor is one that comes in pieces, until it is whole or given up", async () => {
  removal.resolve();
  disk.drop(HASH, false);
  for (const give of [true, false]) {
    const arrival = (await spare.arrival(HASH, BYTES.length))!;
    spare.suspect(HASH, 0);
    expect(await spare.removeSpare(HASH)).toBe(false);
    if (give) await arrival.discard();
    else {
      await arrival.write(0, whole());
      await arrival.finish();
    }
    expect(spare.due(10)).toEqual([]);
  }
  expect(disk.held().has(HASH)).toBe(true);
  spare.suspect(HASH, 0);
  expect(await spare.removeSpare(HASH)).toBe(true);
});

async function* whole(): AsyncIterable<Uint8Array> {
  yield BYTES;
}

test("a copy that is damaged when it is read is told of", async () => {
  const damaged: string[] = [];
  spare.onDamaged = (hash) => damaged.push(hash);
  disk.rot(HASH);
  await expect(spare.read(HASH)).rejects.toMatchObject({ code: "BLOB_HASH_MISMATCH" });
  expect(damaged).toEqual([HASH]);
});
