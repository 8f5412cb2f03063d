/** Large blobs between agents: the real BlobAccess over the pretend network and disks. */
import { createHash } from "node:crypto";
import { beforeEach, expect, test } from "vitest";
import type { PeerNetwork } from "../../../agent/ports/index.ts";
import { BlobAccess } from "../../../agent/runtime/blob-access.ts";
import { Events } from "../../../agent/runtime/events.ts";
import { Peers } from "../../../agent/runtime/peers.ts";
import type { Surroundings } from "../../../agent/runtime/surroundings.ts";
import type { BlobHash, NodeId } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { PretendBlobs } from "../../support/pretend-blobs.ts";
import { PretendNet } from "../../support/pretend-network.ts";
import { seededRandomness, VirtualClock } from "../../support/virtual-clock.ts";

const PIECE = LIMITS.blobPieceBytes;
const hashOf = (bytes: Uint8Array): BlobHash => createHash("sha256").update(bytes).digest("hex") as BlobHash;
/** Four pieces, the last one short. */
const BLOB = Uint8Array.from({ length: 3 * PIECE + 1000 }, (_, i) => (i * 31 + (i >> 13)) & 255);
const HASH = hashOf(BLOB);

const clock = { now: new VirtualClock() };
let net: PretendNet;
let boxes: Box[];

interface Box {
  network: PeerNetwork;
  disk: PretendBlobs;
  access: BlobAccess;
  events: Events;
  /** Bytes of HASH this box was asked for, by who asked. */
  asked: { offset: number; length: number }[];
  /** Whether it takes its time over each chunk. */
  isSlow: boolean;
}

async function box(name: string): Promise<Box> {
  const network = net.join(`box-${name}` as NodeId);
  const disk = new PretendBlobs();
  const asked: Box["asked"] = [];
  const { serveBlobs } = network;
  network.serveBlobs = (source) =>
    serveBlobs.call(network, async (hash, offset, length) => {
      asked.push({ offset, length });
      const blob = await source(hash, offset, length);
      return blob && { ...blob, chunks: slowly(blob.chunks, () => self.isSlow) };
    });
  const telemetry = { log: () => {} };
  const events = new Events(clock.now, telemetry);
  const world = { network, blobs: disk.open(), clock: clock.now, telemetry } as unknown as Surroundings;
  const others = (): NodeId[] => boxes.map(({ network: { self } }) => self).filter((self) => self !== network.self);
  const access = new BlobAccess(world, new Peers(network), events, others);
  const self: Box = { network, disk, access, events, asked, isSlow: false };
  await network.start();
  return self;
}

async function* slowly(chunks: AsyncIterable<Uint8Array>, isSlow: () => boolean): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    if (isSlow()) await new Promise<void>((resolve) => clock.now.after(4_000, resolve));
    yield chunk;
  }
}

beforeEach(async () => {
  clock.now = new VirtualClock();
  net = new PretendNet(clock.now, seededRandomness(1));
  boxes = [];
  for (const name of ["a", "b", "c", "d"]) boxes.push(await box(name));
  const roster = boxes.map(({ network: { self } }, i) => ({
    nodeId: self,
    name: self,
    addresses: [net.addressOf(self)],
    admittedAtIndex: i,
  }));
  for (const { network } of boxes) network.admit(roster);
  await clock.now.runUntil(3_000);
});

async function settle<T>(promise: Promise<T>): Promise<T> {
  let isOver = false;
  const mark = (): void => {
    isOver = true;
  };
  promise.then(mark, mark);
  while (!isOver) {
    await clock.now.settle();
    if (!isOver && !(await clock.now.runNext())) throw new Error("nothing will ever happen");
  }
  return promise;
}

const ids = (...some: Box[]): NodeId[] => some.map(({ network }) => network.self);
const give = (to: Box): void => to.disk.keep(HASH, BLOB);
const isWhole = ({ disk }: Box): boolean => hashOf(disk.held().get(HASH) ?? new Uint8Array()) === HASH;
const damagesTold = ({ events }: Box): unknown[] =>
  events.since(0).flatMap(({ event, facts }) => (event === "blobDamaged" ? [facts.holder] : []));

/** Holds the blob with a bit of one piece turned over. */
function lie(liar: Box, piece: number): void {
  const bytes = new Uint8Array(BLOB);
  bytes[piece * PIECE + 5]! ^= 1;
  liar.disk.keep(HASH, bytes);
}

test("a large blob comes in pieces from all its holders", async () => {
  const [a, b, c] = boxes as [Box, Box, Box];
  give(b);
  give(c);
  await settle(a.access.ensureLocal(HASH, ids(b, c)));
  expect(isWhole(a)).toBe(true);
  expect(b.asked.length).toBeGreaterThan(0);
  expect(c.asked.length).toBeGreaterThan(0);
  expect([...b.asked, ...c.asked].map(({ offset }) => offset / PIECE).toSorted()).toEqual([0, 1, 2, 3]);
});

test("a transfer that breaks goes on from the pieces that came, from another holder too", async () => {
  const [a, b, c] = boxes as [Box, Box, Box];
  give(b);
  const broken = a.access.ensureLocal(HASH, ids(b)).catch((error: unknown) => error);
  while (![...(a.disk.arriving.get(HASH)?.pieces ?? [])].some(Boolean)) {
    await clock.now.settle();
    await clock.now.runNext();
  }
  net.kill(b.network.self);
  expect(await settle(broken)).toMatchObject({ code: "BLOB_MISSING" });
  const came = a.disk.arriving.get(HASH)!.pieces.filter(Boolean).length;
  expect(came).toBeGreaterThan(0);
  give(c);
  c.asked.length = 0;
  await settle(a.access.ensureLocal(HASH, ids(c)));
  expect(isWhole(a)).toBe(true);
  expect(c.asked).toHaveLength(4 - came);
});

test("a holder that lies costs its pieces: it is told of, and the blob comes whole", async () => {
  const [a, b, c] = boxes as [Box, Box, Box];
  give(b);
  lie(c, 1);
  await settle(a.access.ensureLocal(HASH, ids(b, c)));
  expect(isWhole(a)).toBe(true);
  expect(damagesTold(a)).toEqual(ids(c));
});

test("a holder that lies about the size is passed over", async () => {
  const [a, b, c] = boxes as [Box, Box, Box];
  give(c);
  b.disk.keep(HASH, BLOB.subarray(0, 2 * PIECE + 7));
  await settle(a.access.ensureLocal(HASH, ids(b, c)));
  expect(isWhole(a)).toBe(true);
});

test("when every holder lies the blob is refused, each is told of, and nothing stays", async () => {
  const [a, b, c] = boxes as [Box, Box, Box];
  lie(b, 0);
  lie(c, 3);
  const failed = settle(a.access.ensureLocal(HASH, ids(b, c))).catch((error: unknown) => error);
  expect(await failed).toMatchObject({ code: "BLOB_HASH_MISMATCH" });
  expect(damagesTold(a).toSorted()).toEqual(ids(b, c));
  expect(a.disk.held().has(HASH)).toBe(false);
  expect(a.disk.arriving.has(HASH)).toBe(false);
});

test("a holder that became slow holds nothing up: its last piece is asked of another", async () => {
  const [a, b, c] = boxes as [Box, Box, Box];
  give(b);
  give(c);
  // Four seconds for each chunk: never long enough to be given up.
  c.isSlow = true;
  const beganMs = clock.now.monotonicMs();
  await settle(a.access.ensureLocal(HASH, ids(b, c)));
  expect(isWhole(a)).toBe(true);
  expect(clock.now.monotonicMs() - beganMs).toBeLessThan(10_000);
  expect(b.asked.map(({ offset }) => offset / PIECE).toSorted()).toEqual([0, 1, 2, 3]);
});

test("a full disk ends the transfer with DISK_FULL", async () => {
  const [a, b] = boxes as [Box, Box];
  give(b);
  a.disk.capacityBytes = 2 * PIECE;
  const failed = settle(a.access.ensureLocal(HASH, ids(b))).catch((error: unknown) => error);
  expect(await failed).toMatchObject({ code: "DISK_FULL" });
});

test("recorded holders that are gone are made up for by whoever else has it", async () => {
  const [a, b, c, d] = boxes as [Box, Box, Box, Box];
  give(d);
  net.kill(b.network.self);
  await settle(a.access.ensureLocal(HASH, ids(b, c)));
  expect(isWhole(a)).toBe(true);
});
