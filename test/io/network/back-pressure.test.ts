import { createHash, randomBytes } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BLOB_PROTOCOL } from "../../../agent/io/network/bulk.ts";
import { FrameReader, framed, isOpen, partsOf } from "../../../agent/io/network/framing.ts";
import { WIRE } from "../../../agent/io/network/wire.ts";
import type { PeerNetwork } from "../../../agent/ports/index.ts";
import { SkeinError } from "../../../shared/errors.ts";
import type { BlobHash, NodeId } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { meet } from "../../contracts/network.ts";
import { RealWorld, until } from "../../support/network-world.ts";
import { RawPeer } from "./raw-peer.ts";

const HASH = "ab".repeat(32) as BlobHash;
const MiB = 1024 * 1024;
let world: RealWorld;
let raw: RawPeer | undefined;
beforeEach(() => {
  world = new RealWorld();
});
afterEach(async () => {
  await raw?.stop();
  raw = undefined;
  await world.close();
});

async function pair(): Promise<[PeerNetwork, PeerNetwork]> {
  const [a, b] = [await world.member(), await world.member()];
  await meet(world, [a, b]);
  return [a, b];
}

/** Serves a blob of random bytes and counts what was taken from its source. */
function serve(network: PeerNetwork, bytes: number) {
  const content = randomBytes(1 * MiB);
  const hash = createHash("sha256");
  const counted = { taken: 0, digest: () => hash.digest("hex") };
  network.serveBlobs(async () => ({
    bytes,
    chunks: (async function* () {
      while (counted.taken < bytes) {
        const chunk = content.subarray(0, Math.min(LIMITS.bulkChunkBytes, bytes - counted.taken));
        counted.taken += chunk.byteLength;
        hash.update(chunk);
        yield chunk;
      }
    })(),
  }));
  return counted;
}

test("a reader that pauses stops the sender's source, and loses nothing when it goes on", async () => {
  const [a, b] = await pair();
  const bytes = 40 * MiB;
  const source = serve(b, bytes);
  const { chunks } = await a.fetchBlob(b.self, HASH);
  const hash = createHash("sha256");
  let read = 0;
  let aheadMax = 0;
  for await (const chunk of chunks) {
    hash.update(chunk);
    read += chunk.byteLength;
    if (read % (4 * MiB) < chunk.byteLength) await new Promise((resolve) => setTimeout(resolve, 60));
    aheadMax = Math.max(aheadMax, source.taken - read);
  }
  expect(read).toBe(bytes);
  expect(hash.digest("hex")).toBe(source.digest());
  // The read-ahead, a window on its way, a chunk at either end, and one dispatch that came in one piece.
  expect(aheadMax).toBeLessThan(LIMITS.bulkReadAheadBytes + 1 * MiB);
});

test("many slow readers at once all get their blobs", async () => {
  const [a, b] = await pair();
  const content = randomBytes(3 * MiB);
  b.serveBlobs(async () => ({
    bytes: content.byteLength,
    chunks: (async function* () {
      yield content;
    })(),
  }));
  const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
  const fetches = Array.from({ length: LIMITS.bulkPerPeerMax }, async (_, i) => {
    const parts: Uint8Array[] = [];
    for await (const chunk of (await a.fetchBlob(b.self, HASH)).chunks) {
      parts.push(chunk);
      if (parts.length % (i + 1) === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    return digest(Buffer.concat(parts));
  });
  expect(new Set(await Promise.all(fetches))).toEqual(new Set([digest(content)]));
});

test("a transfer in which no byte moves is broken off, and says why", async () => {
  const [a, b] = await pair();
  b.serveBlobs(async () => ({
    bytes: 1_000_000,
    chunks: (async function* () {
      yield new Uint8Array(1_000);
      await new Promise(() => {});
    })(),
  }));
  const { chunks } = await a.fetchBlob(b.self, HASH);
  const startMs = performance.now();
  const error = await (async () => {
    for await (const _ of chunks);
  })().catch((thrown: SkeinError) => thrown);
  expect(error).toMatchObject({ code: "PEER_UNREACHABLE" });
  expect((error as SkeinError).message).toContain(`no byte moved for ${LIMITS.bulkProgressMs} ms`);
  expect(performance.now() - startMs).toBeLessThan(LIMITS.bulkProgressMs + 3_000);
});

test("the death of the sender ends a transfer at once", async () => {
  const [a, b] = await pair();
  serve(b, 1_000 * MiB);
  const { chunks } = await a.fetchBlob(b.self, HASH);
  const reading = (async () => {
    let read = 0;
    for await (const chunk of chunks) {
      read += chunk.byteLength;
      if (read > 2 * MiB) void b.stop();
    }
  })();
  await expect(reading).rejects.toMatchObject({ code: "PEER_UNREACHABLE" });
});

/** A peer that is linked by both lanes, reads nothing but sends heartbeats. */
async function lazyReader() {
  const member = await world.add();
  raw = await RawPeer.start(world.fleetSecret);
  const { nodeId } = raw;
  member.network.admit([{ nodeId, name: "raw", addresses: [], admittedAtIndex: 1 }]);
  const connection = await raw.dial(member.network);
  const lanes = await raw.link(connection);
  await until(() => member.network.links()[0]?.state === "up");
  const sendHeartbeat = () =>
    lanes.request.send(framed(WIRE.frame.encode({ heartbeat: { sequence: 1, echo: 0, heldMicros: 0 } })));
  const timer = setInterval(() => isOpen(lanes.request) && sendHeartbeat(), 100);
  connection.addEventListener("close", () => clearInterval(timer));
  return { member: member.network, telemetry: member.telemetry, nodeId, connection, lanes };
}

test("to a peer that does not read, the consensus lane takes its bound and no more, and drops nothing in the middle", async () => {
  const { member, nodeId, lanes } = await lazyReader();
  lanes.consensus.pause();
  const frame = (i: number) => new Uint8Array(256 * 1024).fill(i & 255);
  let sent = 0;
  for (let refused = 0; refused < 3; ) {
    if (member.sendConsensus(nodeId, frame(sent))) sent++;
    else refused++;
    await new Promise((resolve) => setImmediate(resolve));
  }
  // The queue, the peer's window, and the batch that was handed over when it ran out.
  expect(sent * 256 * 1024).toBeLessThan(LIMITS.laneQueueBytesMax + 2 * MiB);
  const heard: number[] = [];
  const reader = new FrameReader(LIMITS.frameBytesMax);
  lanes.consensus.addEventListener("message", ({ data }) => {
    for (const part of partsOf(data)) reader.push(part, (body) => void heard.push(body[0]!));
  });
  lanes.consensus.resume();
  await until(() => heard.length === sent);
  expect(heard).toEqual(Array.from({ length: sent }, (_, i) => i & 255));
  expect(member.links()[0]?.state).toBe("up");
});

test("a peer that asks and asks and reads no answer is hung up on before its answers fill the memory", async () => {
  const { member, telemetry, nodeId, lanes } = await lazyReader();
  let answers = 0;
  member.onRequest("big", async () => new Uint8Array(answers++ < 10 ? 900_000 : 4_000));
  lanes.request.pause();
  // The lane is asked, not the connection, which closes a moment after its streams.
  for (let id = 1; isOpen(lanes.request) && id < 1_000_000; id++) {
    lanes.request.send(framed(WIRE.frame.encode({ request: { id, method: "big", body: new Uint8Array(0) } })));
    if (id % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  expect(telemetry.has("linkBrokenOff", { code: "PEER_BUSY", peer: nodeId })).toBe(true);
});

test("a peer that asks for a blob and does not read it is given up on, and the source is let go", async () => {
  const { member, connection, telemetry } = await lazyReader();
  let letGo = false;
  member.serveBlobs(async () => ({
    bytes: 100 * MiB,
    chunks: (async function* () {
      try {
        for (;;) yield new Uint8Array(LIMITS.bulkChunkBytes);
      } finally {
        letGo = true;
      }
    })(),
  }));
  const stream = await connection.newStream(BLOB_PROTOCOL);
  stream.pause();
  stream.send(framed(WIRE.blobQuestion.encode({ hash: randomBytes(32), offset: 0 })));
  await until(() => letGo, LIMITS.bulkProgressMs + 3_000);
  expect(telemetry.has("blobNotServed")).toBe(true);
  expect(connection.status).toBe("open");
});

test("more transfers from one peer than its share are refused by name", async () => {
  const { member, connection } = await lazyReader();
  member.serveBlobs(async () => ({
    bytes: 10,
    chunks: (async function* () {
      await new Promise(() => {});
    })(),
  }));
  const ask = async (): Promise<string> => {
    const stream = await connection.newStream(BLOB_PROTOCOL);
    const header = new Promise<string>((resolve) => {
      const reader = new FrameReader(64 * 1024);
      stream.addEventListener("message", ({ data }) => {
        for (const part of partsOf(data))
          reader.push(part, (body) => {
            resolve(WIRE.blobHeader.decode(body).failure?.code ?? "begun");
            return "stop";
          });
      });
    });
    stream.send(framed(WIRE.blobQuestion.encode({ hash: randomBytes(32), offset: 0 })));
    return await header;
  };
  for (let i = 0; i < LIMITS.bulkServedPerPeerMax; i++) expect(await ask()).toBe("begun");
  expect(await ask()).toBe("PEER_BUSY");
});

test("small requests are answered beside a bulk transfer to the same peer", async () => {
  const [a, b] = await pair();
  serve(b, 1_000 * MiB);
  b.onRequest("echo", async (_: NodeId, body) => body);
  const controller = new AbortController();
  const bulk = (async () => {
    for await (const _ of (await a.fetchBlob(b.self, HASH, { signal: controller.signal })).chunks);
  })();
  for (let i = 0; i < 20; i++) await a.request(b.self, "echo", Uint8Array.from([i]));
  controller.abort(new SkeinError("DEADLINE_EXCEEDED", { what: "the bulk transfer", deadlineMs: 0 }));
  await expect(bulk).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
});
