/** What agent/ports/blobs.ts promises, held against the real blobs and the simulator's. */
import { createHash, randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openBlobs } from "../../agent/io/blobs/index.ts";
import type { Blobs } from "../../agent/ports/index.ts";
import type { BlobHash } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import { PretendBlobs } from "../support/pretend-blobs.ts";
import { fillDisk, freeDisk, silent, smallDisk, temporaryFolder } from "../support/small-disk.ts";

/** One disk that outlives its blobs; at most one life at a time. */
interface Disk {
  open(): Promise<Blobs>;
  /** A blob of more than smallBlobBytesMax. */
  rot(hash: BlobHash, bytes: Uint8Array): Promise<void>;
  setFull(isFull: boolean): Promise<void>;
}

const MiB = 1024 * 1024;

const MAKERS: { name: string; make: () => Promise<Disk>; makeSmall: () => Promise<Disk | string> }[] = [
  {
    name: "the blobs in files",
    make: async () => realDisk(await temporaryFolder()),
    makeSmall: async () => {
      const disk = await smallDisk(LIMITS.diskFreeBytesMin / MiB + 24);
      return "path" in disk ? realDisk(disk.path) : disk.reason;
    },
  },
  {
    name: "the pretend blobs",
    make: async () => pretendDisk(Number.POSITIVE_INFINITY),
    makeSmall: async () => pretendDisk(24 * MiB),
  },
];

function realDisk(path: string): Disk {
  let life: Blobs | undefined;
  return {
    async open() {
      await life?.close();
      life = await openBlobs(join(path, "blobs"), { telemetry: silent });
      return life;
    },
    rot: (hash, bytes) => writeFile(join(path, "blobs", hash.slice(0, 2), hash), flipped(bytes)),
    setFull: (isFull) => (isFull ? fillDisk(path, LIMITS.diskFreeBytesMin / MiB - 1) : freeDisk(path)),
  };
}

function pretendDisk(capacityBytes: number): Disk {
  const disk = new PretendBlobs(capacityBytes);
  return {
    open: async () => disk.open(),
    rot: async (hash) => disk.rot(hash),
    setFull: async (isFull) => {
      disk.capacityBytes = isFull ? 0 : capacityBytes;
    },
  };
}

const flipped = (bytes: Uint8Array): Uint8Array =>
  bytes.map((byte, at) => (at === bytes.length >> 1 ? byte ^ 1 : byte));
const hashOf = (bytes: Uint8Array): BlobHash => createHash("sha256").update(bytes).digest("hex") as BlobHash;
const some = (bytes: number): Uint8Array => new Uint8Array(randomBytes(bytes));
const NOWHERE = hashOf(some(8));

/** A source in chunks, which remembers whether it was let go. */
function chunked(bytes: Uint8Array, chunkBytes: number): AsyncIterable<Uint8Array> & { isLetGo: boolean } {
  let at = 0;
  return {
    isLetGo: false,
    [Symbol.asyncIterator]() {
      return {
        next: async () => {
          if (at >= bytes.length) return { done: true, value: undefined };
          at += chunkBytes;
          return { done: false, value: bytes.subarray(at - chunkBytes, at) };
        },
        return: async () => {
          this.isLetGo = true;
          return { done: true, value: undefined };
        },
      };
    },
  };
}

async function gathered(chunks: AsyncIterable<Uint8Array>): Promise<{ bytes: Uint8Array; sizes: number[] }> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return { bytes: new Uint8Array(Buffer.concat(all)), sizes: all.map((chunk) => chunk.length) };
}

describe.each(MAKERS)("$name", ({ make, makeSmall }) => {
  test.each([
    ["nothing", 0],
    ["one byte", 1],
    ["exactly one chunk", LIMITS.bulkChunkBytes],
    ["several chunks and a rest", 3 * LIMITS.bulkChunkBytes + 17],
  ])("what was put (%s) is read back under its hash, also in the next life", async (_, size) => {
    const disk = await make();
    const bytes = some(size);
    const info = { hash: hashOf(bytes), bytes: size };
    expect(await (await disk.open()).put(bytes)).toEqual(info);
    const blobs = await disk.open();
    expect(await blobs.read(info.hash)).toEqual(bytes);
    expect(await blobs.size(info.hash)).toBe(size);
    expect(await blobs.list()).toEqual([info]);
  });

  test("a source in chunks of any size is put as it comes", async () => {
    const blobs = await (await make()).open();
    for (const chunkBytes of [1000, 3 * LIMITS.bulkChunkBytes]) {
      const bytes = some(4 * LIMITS.bulkChunkBytes + 5);
      const { hash } = await blobs.put(chunked(bytes, chunkBytes), hashOf(bytes));
      expect(await blobs.read(hash)).toEqual(bytes);
    }
  });

  test("a source that does not match its expected hash is refused and leaves nothing", async () => {
    const blobs = await (await make()).open();
    const bytes = some(1000);
    await expect(blobs.put(bytes, NOWHERE)).rejects.toMatchObject({
      code: "BLOB_HASH_MISMATCH",
      facts: { expected: NOWHERE, actual: hashOf(bytes) },
    });
    expect(await blobs.list()).toEqual([]);
  });

  test("a source that breaks off leaves nothing, and may be put again", async () => {
    const blobs = await (await make()).open();
    const bytes = some(1000);
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield bytes.subarray(0, 500);
      throw new Error("the line went dead");
    }
    await expect(blobs.put(broken(), hashOf(bytes))).rejects.toThrow("the line went dead");
    expect(await blobs.list()).toEqual([]);
    await blobs.put(bytes);
    expect(await blobs.read(hashOf(bytes))).toEqual(bytes);
  });

  test("a blob that is there is not taken again, and its source is let go", async () => {
    const blobs = await (await make()).open();
    const bytes = some(1000);
    const { hash } = await blobs.put(bytes);
    const source = chunked(bytes, 10);
    expect(await blobs.put(source, hash)).toEqual({ hash, bytes: 1000 });
    expect(source.isLetGo).toBe(true);
  });

  test("puts of the same blob at once all succeed and leave one", async () => {
    const blobs = await (await make()).open();
    const bytes = some(300_000);
    const info = { hash: hashOf(bytes), bytes: bytes.length };
    const puts = Array.from({ length: 8 }, (_, place) =>
      blobs.put(place % 2 ? bytes : chunked(bytes, 1000 * (place + 1)), place % 3 ? info.hash : undefined),
    );
    expect(await Promise.all(puts)).toEqual(puts.map(() => info));
    expect(await blobs.list()).toEqual([info]);
    expect(await blobs.read(info.hash)).toEqual(bytes);
  });

  test("one of two puts of the same blob may fail without harm to the other", async () => {
    const blobs = await (await make()).open();
    const bytes = some(300_000);
    const outcomes = await Promise.allSettled([
      blobs.put(chunked(flipped(bytes), 1000), hashOf(bytes)),
      blobs.put(chunked(bytes, 1000), hashOf(bytes)),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
    expect(await blobs.read(hashOf(bytes))).toEqual(bytes);
  });

  test("a stream gives the rest from an offset, in chunks that are the reader's own", async () => {
    const blobs = await (await make()).open();
    const bytes = some(2 * LIMITS.bulkChunkBytes + 100);
    const { hash } = await blobs.put(bytes);
    for (const offset of [0, 1, LIMITS.bulkChunkBytes, bytes.length - 1, bytes.length, bytes.length + 5]) {
      const streamed = await gathered(blobs.stream(hash, offset));
      expect(streamed.bytes).toEqual(bytes.slice(offset));
      expect(Math.max(0, ...streamed.sizes)).toBeLessThanOrEqual(LIMITS.bulkChunkBytes);
    }
    for await (const chunk of blobs.stream(hash)) chunk.fill(0);
    expect(await blobs.read(hash)).toEqual(bytes);
  });

  test("what is not here is missing, and removing it is no error", async () => {
    const blobs = await (await make()).open();
    expect(await blobs.size(NOWHERE)).toBeUndefined();
    await expect(blobs.read(NOWHERE)).rejects.toMatchObject({ code: "BLOB_MISSING" });
    await expect(gathered(blobs.stream(NOWHERE))).rejects.toMatchObject({ code: "BLOB_MISSING" });
    await blobs.remove(NOWHERE);
  });

  test("a removed blob is gone, and may be put again", async () => {
    const blobs = await (await make()).open();
    const bytes = some(100);
    const { hash } = await blobs.put(bytes);
    await blobs.remove(hash);
    expect(await blobs.size(hash)).toBeUndefined();
    expect(await blobs.list()).toEqual([]);
    await blobs.put(bytes);
    expect(await blobs.read(hash)).toEqual(bytes);
  });

  test("a damaged copy is found when it is read, set aside, and replaced by the next put", async () => {
    const disk = await make();
    const blobs = await disk.open();
    const bytes = some(2 * LIMITS.bulkChunkBytes);
    const { hash } = await blobs.put(bytes);
    await disk.rot(hash, bytes);
    await expect(blobs.read(hash)).rejects.toMatchObject({ code: "BLOB_HASH_MISMATCH", facts: { expected: hash } });
    expect(await blobs.size(hash)).toBeUndefined();
    expect(await blobs.list()).toEqual([]);
    await expect(blobs.read(hash)).rejects.toMatchObject({ code: "BLOB_MISSING" });
    await blobs.put(bytes, hash);
    expect(await blobs.read(hash)).toEqual(bytes);
  });

  test("verifying finds a sound copy sound, a missing one not there, and sets a damaged one aside", async () => {
    const disk = await make();
    const blobs = await disk.open();
    for (const bytes of [some(0), some(1000), some(3 * LIMITS.bulkChunkBytes + 1)])
      expect(await blobs.verify((await blobs.put(bytes)).hash)).toBe(true);
    expect(await blobs.verify(NOWHERE)).toBe(false);
    const bytes = some(3 * LIMITS.bulkChunkBytes + 1);
    const { hash } = await blobs.put(bytes);
    await disk.rot(hash, bytes);
    expect(await blobs.verify(hash)).toBe(false);
    expect(await blobs.size(hash)).toBeUndefined();
    await blobs.put(bytes);
    expect(await blobs.verify(hash)).toBe(true);
  });

  test("small and large blobs side by side are listed, streamed in part, and removed alike", async () => {
    const blobs = await (await make()).open();
    const sizes = [1, LIMITS.smallBlobBytesMax, LIMITS.smallBlobBytesMax + 1, LIMITS.bulkChunkBytes + 1];
    const all = await Promise.all(sizes.map(async (size) => ({ bytes: some(size), hash: "" as BlobHash })));
    for (const blob of all) blob.hash = (await blobs.put(chunked(blob.bytes, 1000))).hash;
    const listed = (await blobs.list()).toSorted((a, b) => a.bytes - b.bytes);
    expect(listed).toEqual(all.map(({ hash, bytes }) => ({ hash, bytes: bytes.length })));
    for (const { hash, bytes } of all) {
      expect((await gathered(blobs.stream(hash, 0, 1))).bytes).toEqual(bytes.slice(0, 1));
      expect((await gathered(blobs.stream(hash, 7, 20_000))).bytes).toEqual(bytes.slice(7, 20_007));
      await blobs.remove(hash);
    }
    expect(await blobs.list()).toEqual([]);
  });

  test("a large blob comes in pieces in any order, also over two lives, and is read under its hash", async () => {
    const disk = await make();
    const bytes = some(2 * LIMITS.blobPieceBytes + 777);
    const hash = hashOf(bytes);
    const piece = (i: number) =>
      chunked(bytes.subarray(i * LIMITS.blobPieceBytes, (i + 1) * LIMITS.blobPieceBytes), 200_000);
    const before = await disk.open();
    expect(await before.arrival(hash)).toBeUndefined();
    const first = (await before.arrival(hash, bytes.length))!;
    expect(first.here).toEqual([false, false, false]);
    await first.write(2, piece(2));
    await first.write(0, piece(0));
    await first.close();
    expect(await before.list()).toEqual([]);

    const blobs = await disk.open();
    const second = (await blobs.arrival(hash))!;
    expect([second.bytes, ...second.here]).toEqual([bytes.length, true, false, true]);
    await expect(second.write(1, chunked(bytes.subarray(0, 500), 100))).rejects.toMatchObject({
      code: "FRAME_INVALID",
    });
    expect(second.here[1]).toBe(false);
    await second.write(1, piece(1));
    expect(await second.digests()).toEqual(
      [0, 1, 2].map((i) => hashOf(bytes.subarray(i * LIMITS.blobPieceBytes, (i + 1) * LIMITS.blobPieceBytes))),
    );
    expect(await second.finish()).toEqual({ hash, bytes: bytes.length });
    expect(await blobs.list()).toEqual([{ hash, bytes: bytes.length }]);
    expect(hashOf(await blobs.read(hash))).toBe(hash);
    expect(await blobs.arrival(hash)).toBeUndefined();
  });

  test("a piece that comes with its hash is here if it has it, can be read at once, and is checked again in the next life", async () => {
    const disk = await make();
    const bytes = some(LIMITS.blobPieceBytes + 777);
    const hash = hashOf(bytes);
    const pieces = [bytes.subarray(0, LIMITS.blobPieceBytes), bytes.subarray(LIMITS.blobPieceBytes)];
    const digests = pieces.map(hashOf);
    const first = (await (await disk.open()).arrival(hash, bytes.length))!;
    for (const [sent, code] of [
      [flipped(pieces[0]!), "BLOB_HASH_MISMATCH"],
      [pieces[0]!.subarray(1), "FRAME_INVALID"],
      [bytes, "FRAME_INVALID"],
    ] as const)
      await expect(first.write(0, chunked(sent, 200_000), digests[0])).rejects.toMatchObject({ code });
    expect(first.here).toEqual([false, false]);
    await expect(gathered(first.stream(0))).rejects.toMatchObject({ code: "BLOB_MISSING" });
    await first.write(0, chunked(pieces[0]!, 200_000), digests[0]);
    expect((await gathered(first.stream(0))).bytes).toEqual(pieces[0]);
    // Whoever sends other bytes for a piece that is here harms nothing.
    await expect(first.write(0, chunked(flipped(pieces[0]!), 200_000), digests[0])).rejects.toMatchObject({
      code: "BLOB_HASH_MISMATCH",
    });
    expect((await gathered(first.stream(0))).bytes).toEqual(pieces[0]);
    // One that nobody vouched for.
    await first.write(1, chunked(flipped(pieces[1]!), 200), undefined);
    await first.close();

    const blobs = await disk.open();
    const second = (await blobs.arrival(hash))!;
    expect(second.here).toEqual([true, true]);
    await second.check(digests);
    expect(second.here).toEqual([true, false]);
    await second.write(1, chunked(pieces[1]!, 200), digests[1]);
    expect(await second.finish()).toEqual({ hash, bytes: bytes.length });
    expect(hashOf(await blobs.read(hash))).toBe(hash);
  });

  test("pieces that do not make the hash are refused, may be looked at, and are gone when they are discarded", async () => {
    const blobs = await (await make()).open();
    const bytes = some(LIMITS.blobPieceBytes + 5);
    const hash = hashOf(bytes);
    const arrival = (await blobs.arrival(hash, bytes.length))!;
    await arrival.write(0, chunked(flipped(bytes).subarray(0, LIMITS.blobPieceBytes), 300_000));
    await arrival.write(1, chunked(bytes.subarray(LIMITS.blobPieceBytes), 300_000));
    await expect(arrival.finish()).rejects.toMatchObject({ code: "BLOB_HASH_MISMATCH", facts: { expected: hash } });
    expect((await arrival.digests())[1]).toBe(hashOf(bytes.subarray(LIMITS.blobPieceBytes)));
    // The piece that was wrong comes again, from elsewhere.
    await arrival.write(0, chunked(bytes.subarray(0, LIMITS.blobPieceBytes), 300_000));
    await arrival.finish();
    expect(await blobs.verify(hash)).toBe(true);
    const other = (await blobs.arrival(NOWHERE, bytes.length))!;
    await other.write(1, chunked(bytes.subarray(LIMITS.blobPieceBytes), 300_000));
    await other.discard();
    expect(await blobs.arrival(NOWHERE)).toBeUndefined();
  });

  test("two holders that send the same piece at once do no harm, and another size begins anew", async () => {
    const blobs = await (await make()).open();
    const bytes = some(LIMITS.blobPieceBytes + 5);
    const hash = hashOf(bytes);
    const wrong = (await blobs.arrival(hash, bytes.length - 1))!;
    await wrong.write(1, chunked(bytes.subarray(0, 4), 4));
    await wrong.close();
    const arrival = (await blobs.arrival(hash, bytes.length))!;
    expect(arrival.here).toEqual([false, false]);
    const [head, tail] = [bytes.subarray(0, LIMITS.blobPieceBytes), bytes.subarray(LIMITS.blobPieceBytes)];
    await Promise.all([
      arrival.write(0, chunked(head, 100_000)),
      arrival.write(0, chunked(head, 70_000)),
      arrival.write(1, chunked(tail, 2)),
    ]);
    await arrival.finish();
    expect(await blobs.verify(hash)).toBe(true);
  });

  test("what the caller does to its bytes afterwards changes nothing", async () => {
    const blobs = await (await make()).open();
    const bytes = some(100);
    const copy = new Uint8Array(bytes);
    const { hash } = await blobs.put(bytes);
    bytes.fill(0);
    (await blobs.read(hash)).fill(0);
    expect(await blobs.read(hash)).toEqual(copy);
  });

  test("a full disk takes nothing, keeps what it has, and takes again when there is room", async (context) => {
    const disk = await makeSmall();
    if (typeof disk === "string") return context.skip(disk);
    const blobs = await disk.open();
    const [kept, refused] = [some(1000), some(1000)];
    await blobs.put(kept);
    await disk.setFull(true);
    expect(await blobs.freeBytes()).toBe(0);
    await expect(blobs.put(refused)).rejects.toMatchObject({ code: "DISK_FULL" });
    const source = chunked(refused, 10);
    await expect(blobs.put(source, hashOf(refused))).rejects.toMatchObject({ code: "DISK_FULL" });
    expect(source.isLetGo).toBe(true);
    expect(await blobs.list()).toEqual([{ hash: hashOf(kept), bytes: 1000 }]);
    expect(await blobs.read(hashOf(kept))).toEqual(kept);
    await disk.setFull(false);
    await blobs.put(refused);
    expect(await blobs.read(hashOf(refused))).toEqual(refused);
  });

  test("a blob larger than what is free is refused and leaves nothing, also when its size is not known before", async (context) => {
    const disk = await makeSmall();
    if (typeof disk === "string") return context.skip(disk);
    const blobs = await disk.open();
    const free = await blobs.freeBytes();
    const bytes = new Uint8Array(free + 17 * MiB);
    await expect(blobs.put(bytes)).rejects.toMatchObject({ code: "DISK_FULL" });
    await expect(blobs.put(chunked(bytes, MiB))).rejects.toMatchObject({ code: "DISK_FULL" });
    expect(await blobs.list()).toEqual([]);
    expect(await blobs.freeBytes()).toBe(free);
  });
});

describe("the pretend blobs alone", () => {
  test("a crash keeps what was acknowledged, and what a dead life does reaches no disk and gets no answer", async () => {
    const disk = new PretendBlobs();
    const dead = disk.open();
    const bytes = some(100);
    await dead.put(bytes);
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield some(10);
      disk.crash();
    }
    let answered = false;
    const mark = (): void => {
      answered = true;
    };
    dead.put(endless()).then(mark, mark);
    await new Promise((resolve) => setImmediate(resolve));
    dead.remove(hashOf(bytes)).then(mark, mark);
    await new Promise((resolve) => setImmediate(resolve));
    expect(await disk.open().list()).toEqual([{ hash: hashOf(bytes), bytes: 100 }]);
    expect(answered).toBe(false);
  });

  test("a copy found damaged is remembered until a sound one takes its place", async () => {
    const disk = new PretendBlobs();
    const blobs = disk.open();
    const bytes = some(100);
    const { hash } = await blobs.put(bytes);
    disk.rot(hash);
    await expect(blobs.read(hash)).rejects.toMatchObject({ code: "BLOB_HASH_MISMATCH" });
    expect([...disk.setAside()]).toEqual([hash]);
    await blobs.put(bytes);
    expect([...disk.setAside()]).toEqual([]);
  });
});
