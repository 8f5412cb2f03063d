import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, renameSync } from "node:fs";
import { open as openFile, readdir, readFile, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test, vi } from "vitest";
import { openBlobs } from "../../../agent/io/blobs/index.ts";
import type { Blobs } from "../../../agent/ports/index.ts";
import type { BlobHash } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { fillDisk, silent, smallDisk, temporaryFolder } from "../../support/small-disk.ts";

const MiB = 1024 * 1024;
/** Large enough for a file of its own. */
const LARGE = LIMITS.smallBlobBytesMax + 1;
const hashOf = (bytes: Uint8Array): BlobHash => createHash("sha256").update(bytes).digest("hex") as BlobHash;
const some = (bytes: number): Uint8Array => new Uint8Array(randomBytes(bytes));
const open = async (path: string, telemetry = silent): Promise<Blobs> => {
  const blobs = await openBlobs(path, { telemetry });
  onTestFinished(() => blobs.close());
  return blobs;
};
const filesUnder = async (path: string): Promise<string[]> => {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile() && !entry.parentPath.endsWith("small")).map((entry) => entry.name);
};

test("what a crash left half-written is gone at the next start, and nothing else is", async () => {
  const path = await temporaryFolder();
  const bytes = some(LARGE);
  const before = await open(path);
  await before.put(bytes);
  await before.close();
  await writeFile(join(path, "incoming", "7"), "half of something");
  await open(path);
  expect(await filesUnder(path)).toEqual([hashOf(bytes)]);
});

test("what is not a blob is not listed", async () => {
  const path = await temporaryFolder();
  const blobs = await open(path);
  await writeFile(join(path, "ab", "notes.txt"), "by a person");
  await writeFile(join(path, "notes.txt"), "by a person");
  expect(await blobs.list()).toEqual([]);
});

test("a damaged copy is kept beside, told of, and goes with its blob", async () => {
  const path = await temporaryFolder();
  const told: unknown[] = [];
  const blobs = await open(path, { log: (...line) => told.push(line) });
  const { hash } = await blobs.put(some(LARGE));
  const file = join(path, hash.slice(0, 2), hash);
  await writeFile(file, "not it");
  const actual = hashOf(new TextEncoder().encode("not it"));
  // Readers that find it at the same time get the same answer.
  for (const outcome of await Promise.allSettled([blobs.read(hash), blobs.read(hash)]))
    expect(outcome).toMatchObject({ status: "rejected", reason: { code: "BLOB_HASH_MISMATCH", facts: { actual } } });
  expect(told).toContainEqual(["warn", "blobSetAside", { hash, actual }]);
  expect(await readFile(`${file}.damaged`, "utf8")).toBe("not it");
  await blobs.remove(hash);
  expect(await filesUnder(path)).toEqual([]);
});

test("a late finding of old damage leaves the sound copy that took its place", async () => {
  const path = await temporaryFolder();
  const blobs = await open(path);
  const bytes = some(16 * LIMITS.bulkChunkBytes);
  const { hash } = await blobs.put(bytes);
  const file = join(path, hash.slice(0, 2), hash);
  await writeFile(join(path, "sound"), bytes);
  await writeFile(
    file,
    bytes.map((byte, at) => (at === 0 ? byte ^ 1 : byte)),
  );
  // Both read the damaged copy piece by piece in turn; the one that ends later finds another file under the name.
  const replacing = blobs.read(hash).catch(() => renameSync(join(path, "sound"), file));
  const late = blobs.read(hash).catch((error: unknown) => error);
  await replacing;
  expect(await late).toMatchObject({ code: "BLOB_HASH_MISMATCH" });
  expect((await blobs.read(hash)).length).toBe(bytes.length);
});

test("a copy that was cut short or has grown is damaged too", async () => {
  const path = await temporaryFolder();
  const blobs = await open(path);
  for (const change of [
    (bytes: Uint8Array) => bytes.subarray(0, LARGE / 2),
    (bytes: Uint8Array) => Buffer.concat([bytes, bytes]),
  ]) {
    const bytes = some(LARGE);
    const { hash } = await blobs.put(bytes);
    await writeFile(join(path, hash.slice(0, 2), hash), change(bytes));
    await expect(blobs.read(hash)).rejects.toMatchObject({ code: "BLOB_HASH_MISMATCH" });
    expect(await blobs.size(hash)).toBeUndefined();
  }
});

test("the event loop turns between the pieces of a large blob, on the way in and on the way out", async () => {
  const blobs = await open(await temporaryFolder());
  const bytes = new Uint8Array(64 * LIMITS.bulkChunkBytes);
  async function turnsDuring(work: Promise<unknown>): Promise<number> {
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns += 1;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    await work;
    isOver = true;
    return turns;
  }
  expect(await turnsDuring(blobs.put(bytes))).toBeGreaterThanOrEqual(64);
  expect(await turnsDuring(blobs.read(hashOf(bytes)))).toBeGreaterThanOrEqual(64);
});

test("a disk that another program fills in the middle of a put ends it with DISK_FULL and gets its space back", async (context) => {
  const disk = await smallDisk(LIMITS.diskFreeBytesMin / MiB + 24);
  if ("reason" in disk) return context.skip(disk.reason);
  const { path: root } = disk;
  const path = join(root, "blobs");
  const blobs = await open(path);
  async function* source(): AsyncGenerator<Uint8Array> {
    yield some(MiB);
    await fillDisk(root, 0);
    yield some(MiB);
  }
  await expect(blobs.put(source())).rejects.toMatchObject({
    code: "DISK_FULL",
    facts: { path: join(path, "incoming") },
  });
  expect(await filesUnder(path)).toEqual([]);
  const { bavail, bsize } = await statfs(path);
  expect(bavail * bsize).toBeGreaterThanOrEqual(MiB);
});

test("a blob's bytes are made durable before it gets its name, and its name before the put is done", async () => {
  const path = await temporaryFolder();
  const blobs = await open(path);
  const bytes = some(LARGE);
  const file = join(path, hashOf(bytes).slice(0, 2), hashOf(bytes));
  const handle = await openFile(path);
  const prototype = Object.getPrototypeOf(handle) as typeof handle;
  await handle.close();
  const wasNamed: boolean[] = [];
  const { sync } = prototype;
  const spy = vi.spyOn(prototype, "sync").mockImplementation(function (this: typeof handle) {
    wasNamed.push(existsSync(file));
    return sync.call(this);
  });
  onTestFinished(() => spy.mockRestore());
  await blobs.put(bytes);
  expect(wasNamed).toEqual([false, true]);
});

test("after kill -9 in the middle of writing every acknowledged blob is whole, and no half one has a name", async () => {
  const path = await temporaryFolder();
  const child = spawn(process.execPath, [new URL("./writer.ts", import.meta.url).pathname, path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const acknowledged: BlobHash[] = [];
  const closed = once(child, "close");
  for await (const line of createInterface(child.stdout)) {
    acknowledged.push(line as BlobHash);
    if (acknowledged.length === 20) child.kill("SIGKILL");
  }
  await closed;
  const blobs = await open(path);
  const listed = (await blobs.list()).map(({ hash }) => hash);
  expect(listed).toEqual(expect.arrayContaining(acknowledged));
  for (const hash of listed) await blobs.read(hash);
});
