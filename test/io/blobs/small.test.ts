import { createHash, randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { expect, onTestFinished, test, vi } from "vitest";
import { openBlobs } from "../../../agent/io/blobs/index.ts";
import type { Blobs } from "../../../agent/ports/index.ts";
import type { BlobHash } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { rotSmall } from "../../support/small-blobs.ts";
import { silent, temporaryFolder } from "../../support/small-disk.ts";

const hashOf = (bytes: Uint8Array): BlobHash => createHash("sha256").update(bytes).digest("hex") as BlobHash;
const some = (bytes: number): Uint8Array => new Uint8Array(randomBytes(bytes));
const open = async (path: string, telemetry = silent): Promise<Blobs> => {
  const blobs = await openBlobs(path, { telemetry });
  onTestFinished(() => blobs.close());
  return blobs;
};

async function bytesUnder(path: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(path)) {
    // LevelDB deletes what it has merged at any moment.
    const found = await stat(join(path, name)).catch(() => undefined);
    bytes += found?.size ?? 0;
  }
  return bytes;
}

test("small blobs put at once share the fsyncs of a few writes", async () => {
  const blobs = await open(await temporaryFolder());
  const writes = vi.spyOn(ClassicLevel.prototype as unknown as { batch: () => unknown }, "batch");
  onTestFinished(() => writes.mockRestore());
  const all = Array.from({ length: 1_000 }, () => some(500));
  await Promise.all(all.map((bytes) => blobs.put(bytes)));
  // The first alone, those that came meanwhile together, and once more.
  expect(writes.mock.calls.length).toBeLessThanOrEqual(5);
  for (const bytes of all) expect(await blobs.size(hashOf(bytes))).toBe(500);
});

test("more than may wait at once is taken all the same", async () => {
  const blobs = await open(await temporaryFolder());
  const bytes = some(LIMITS.smallBlobBytesMax);
  const count = (2 * LIMITS.smallBlobsWaitingBytesMax) / bytes.length;
  const puts = Array.from({ length: count }, (_, at) => {
    const own = new Uint8Array(bytes);
    new DataView(own.buffer).setUint32(0, at);
    return blobs.put(own);
  });
  await Promise.all(puts);
  expect(await blobs.list()).toHaveLength(count);
});

test("a small blob that an older agent kept as a file is read, listed once when it is put again, and removed", async () => {
  const path = await temporaryFolder();
  const blobs = await open(path);
  const bytes = some(100);
  const hash = hashOf(bytes);
  const file = join(path, hash.slice(0, 2), hash);
  await writeFile(file, bytes);
  expect(await blobs.put(bytes)).toEqual({ hash, bytes: 100 });
  expect(await blobs.list()).toEqual([{ hash, bytes: 100 }]);
  expect(await blobs.read(hash)).toEqual(bytes);
  await blobs.remove(hash);
  expect(await blobs.size(hash)).toBeUndefined();
});

test("a damaged small blob is found by its hash, kept beside, and replaced by the next put", async () => {
  const path = await temporaryFolder();
  const first = await open(path);
  const [rotten, sound] = [some(1000), some(1000)];
  const { hash } = await first.put(rotten);
  await first.put(sound);
  await first.close();
  await rotSmall(path, hash);
  const told: unknown[] = [];
  const blobs = await open(path, { log: (...line) => told.push(line) });
  const damaged = rotten.map((byte, at) => (at === 500 ? byte ^ 0xff : byte));
  for (const outcome of await Promise.allSettled([blobs.read(hash), blobs.read(hash)]))
    expect(outcome).toMatchObject({ status: "rejected", reason: { code: "BLOB_HASH_MISMATCH" } });
  expect(told).toContainEqual(["warn", "blobSetAside", { hash, actual: hashOf(damaged) }]);
  expect(new Uint8Array(await readFile(join(path, hash.slice(0, 2), `${hash}.damaged`)))).toEqual(damaged);
  expect(await blobs.size(hash)).toBeUndefined();
  await blobs.put(rotten, hash);
  expect(await blobs.read(hash)).toEqual(rotten);
  expect(await blobs.read(hashOf(sound))).toEqual(sound);
  await blobs.remove(hash);
  expect(await readdir(join(path, hash.slice(0, 2)))).toEqual([]);
});

test("a small blob that was here before is read from the disk when it was put again, and so found damaged", async () => {
  const path = await temporaryFolder();
  const first = await openBlobs(path, { telemetry: silent });
  const bytes = some(700);
  const { hash } = await first.put(bytes);
  await first.close();
  await rotSmall(path, hash);
  const again = await open(path);
  await again.put(bytes, hash);
  await expect(again.read(hash)).rejects.toMatchObject({ code: "BLOB_HASH_MISMATCH" });
});

test("removing small blobs gives their space back", async () => {
  const path = await temporaryFolder();
  const blobs = await open(path);
  const all = Array.from({ length: 2_000 }, () => some(20_000));
  await Promise.all(all.map((bytes) => blobs.put(bytes)));
  expect(await bytesUnder(join(path, "small"))).toBeGreaterThan(40_000_000);
  await Promise.all(all.map((bytes) => blobs.remove(hashOf(bytes))));
  await blobs.close();
  // All but what was removed last.
  expect(await bytesUnder(join(path, "small"))).toBeLessThan(LIMITS.smallBlobsRemovedBytesMin);
});

async function overTables(folder: string, change: (table: Uint8Array) => Uint8Array): Promise<void> {
  for (const name of await readdir(folder))
    if (/\.ldb$/.test(name)) await writeFile(join(folder, name), change(await readFile(join(folder, name))));
}

test.each([
  ["whose tables are full of noise", (folder: string) => overTables(folder, ({ length }) => some(length))],
  [
    "whose tables are cut short",
    (folder: string) => overTables(folder, (table) => table.subarray(0, table.length / 2)),
  ],
  ["whose CURRENT is gone", (folder: string) => rm(join(folder, "CURRENT"))],
  [
    "whose MANIFEST is gone",
    async (folder: string) => {
      for (const name of await readdir(folder)) if (/^MANIFEST/.test(name)) await rm(join(folder, name));
    },
  ],
])("a database %s loses at most what was in it, takes blobs again, and never gives a wrong byte", async (_, damage) => {
  const path = await temporaryFolder();
  const before = Array.from({ length: 50 }, () => some(900));
  // Twice, so that what the first life logged is in a table.
  for (const half of [before.slice(0, 25), before.slice(25)]) {
    const life = await open(path);
    for (const bytes of half) await life.put(bytes);
    await life.close();
  }
  await damage(join(path, "small"));
  const blobs = await open(path);
  for (const bytes of before) {
    const found = await blobs.read(hashOf(bytes)).catch((error: unknown) => {
      expect(["BLOB_MISSING", "BLOB_HASH_MISMATCH"]).toContain((error as { code: string }).code);
    });
    if (found) expect(found).toEqual(bytes);
    await blobs.put(bytes);
    expect(await blobs.read(hashOf(bytes))).toEqual(bytes);
  }
  expect((await blobs.list()).length).toBe(before.length);
});

test("a write that fails fails its puts alone: the next are durable", async () => {
  const path = await temporaryFolder();
  const blobs = await open(path);
  await blobs.put(some(10));
  // LevelDB begins a new log, under the next number, when it is opened or its buffer is full: a folder stands in the way.
  const numbers = (await readdir(join(path, "small"))).map((name) => Number.parseInt(name, 10) || 0);
  const blocked = Array.from({ length: 3 }, (_, at) => {
    const number = Math.max(...numbers) + 1 + at;
    return join(path, "small", `${String(number).padStart(6, "0")}.log`);
  });
  for (const folder of blocked) await mkdir(folder).catch(() => {});
  const many = Array.from({ length: 400 }, () => some(LIMITS.smallBlobBytesMax));
  const outcomes = await Promise.allSettled(many.map((bytes) => blobs.put(bytes)));
  expect(outcomes.some(({ status }) => status === "rejected")).toBe(true);
  for (const folder of blocked) await rm(folder, { recursive: true, force: true });
  for (const bytes of many) await blobs.put(bytes);
  await blobs.close();
  const later = await open(path);
  for (const bytes of many) expect(await later.verify(hashOf(bytes))).toBe(true);
});

test("what was written lately is read without the disk, by nobody who verifies, and never after its removal", async () => {
  const path = await temporaryFolder();
  const blobs = await open(path);
  const [bytes, empty] = [some(900), new Uint8Array()];
  const { hash } = await blobs.put(bytes);
  await blobs.put(empty);
  const looks = vi.spyOn(ClassicLevel.prototype, "getMany");
  onTestFinished(() => looks.mockRestore());
  expect(await blobs.read(hash)).toEqual(bytes);
  expect(await blobs.size(hash)).toBe(900);
  expect(await blobs.size(hashOf(empty))).toBe(0);
  await blobs.put(bytes);
  expect(looks).not.toHaveBeenCalled();
  expect(await blobs.verify(hash)).toBe(true);
  expect(looks).toHaveBeenCalled();
  await blobs.remove(hash);
  expect(await blobs.size(hash)).toBeUndefined();
  await expect(blobs.read(hash)).rejects.toMatchObject({ code: "BLOB_MISSING" });
  await blobs.put(bytes);
  expect(await blobs.verify(hash)).toBe(true);
});

test("a full disk refuses new small blobs and takes those that it has", async () => {
  const path = await temporaryFolder();
  const [here, fresh] = [some(100), some(100)];
  const first = await open(path);
  await first.put(here);
  await first.close();
  const blobs = await openBlobs(path, { telemetry: silent, isFull: () => true });
  onTestFinished(() => blobs.close());
  expect(await blobs.put(here)).toMatchObject({ hash: hashOf(here) });
  await expect(blobs.put(fresh)).rejects.toMatchObject({ code: "DISK_FULL" });
});
