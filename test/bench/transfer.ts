/**
 * A large blob from one agent to another on loopback, from disk to disk with hashes checked, beside a bare libp2p stream
 * with the same encryption and window, and a raw TLS socket; the sender of each is a process of its own. Part of network.ts.
 */
import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, createServer, type TlsOptions } from "node:tls";
import { noise } from "@libp2p/noise";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p, type Libp2p } from "libp2p";
import { openBlobs } from "../../agent/io/blobs/index.ts";
import { systemClock } from "../../agent/io/clock/index.ts";
import { createIdentity, createPeerNetwork, nodeIdOf } from "../../agent/io/network/index.ts";
import { BlobAccess } from "../../agent/runtime/blob-access.ts";
import { Events } from "../../agent/runtime/events.ts";
import { Peers } from "../../agent/runtime/peers.ts";
import type { Surroundings } from "../../agent/runtime/surroundings.ts";
import type { RosterNode } from "../../shared/fleet.ts";
import type { BlobHash, FleetId, NodeId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import { median } from "./figures.ts";

const MB = 1e6;
const BYTES = Number(process.env.TRANSFER_MB ?? 512) * MB;
const ROUNDS = 3;
const BARE_PROTOCOL = "/bench/bare/1";
/** As in agent/io/network/node.ts. */
const WINDOW_BYTES = 256 * 1024;
const telemetry = { log: () => {} };

/** Both sides of the TLS socket know a key beforehand, so that no certificate is needed; the cipher is what counts. */
const KEY = Buffer.alloc(32, 7);
const CIPHERS = "PSK-AES128-GCM-SHA256:@SECLEVEL=0";

interface Part {
  key: string;
  secret: string;
  port: number;
  folder: string;
  roster: RosterNode[];
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function agentOf({ key, secret, port, folder, roster }: Part) {
  const nodeKey = Buffer.from(key, "hex");
  const network = createPeerNetwork(
    {
      fleetId: "0f".repeat(16) as FleetId,
      nodeKey,
      fleetSecret: secret,
      nodeName: `bench-${port}`,
      listenPort: port,
      listenHosts: ["127.0.0.1"],
      beacon: "off",
    },
    { telemetry },
  );
  const blobs = await openBlobs(folder, { telemetry });
  const world = { network, blobs, clock: systemClock, telemetry } as unknown as Surroundings;
  const peers = roster.map(({ nodeId }) => nodeId).filter((nodeId) => nodeId !== network.self);
  const access = new BlobAccess(world, new Peers(network), new Events(systemClock, telemetry), () => peers);
  await network.start();
  network.admit(roster);
  return { network, blobs, access };
}

const bareNode = (port: number): Promise<Libp2p> =>
  createLibp2p({
    addresses: { listen: [`/ip4/127.0.0.1/tcp/${port}`] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ streamOptions: { maxStreamWindowSize: WINDOW_BYTES } })],
    connectionMonitor: { enabled: false },
  });

/** The sending process: an agent with the blob, a bare libp2p node, a TLS server. */
async function send(part: Part): Promise<void> {
  const { blobs } = await agentOf(part);
  const seed = randomBytes(LIMITS.bulkChunkBytes);
  const { hash } = await blobs.put(noiseOf(seed));
  const bare = await bareNode(part.port + 10);
  await bare.handle(BARE_PROTOCOL, async (stream) => {
    for (let left = BYTES; left > 0; left -= seed.length)
      if (!stream.send(seed.subarray(0, Math.min(left, seed.length)))) await once(stream as never, "drain");
    await stream.close();
  });
  const psk = { ciphers: CIPHERS, maxVersion: "TLSv1.2", pskCallback: () => KEY } as const;
  const server = createServer(psk as TlsOptions, async (socket) => {
    socket.on("error", () => {});
    for (let left = BYTES; left > 0; left -= seed.length)
      if (!socket.write(seed.subarray(0, Math.min(left, seed.length)))) await once(socket, "drain");
    socket.end();
  });
  await once(server.listen(part.port + 20, "127.0.0.1"), "listening");
  process.send?.({ hash, bare: bare.peerId.toString() });
}

/** Bytes that do not repeat, made cheaply. */
async function* noiseOf(seed: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0, turn = 0; at < BYTES; at += seed.length, turn++) {
    const chunk = new Uint8Array(seed.subarray(0, Math.min(seed.length, BYTES - at)));
    new DataView(chunk.buffer).setUint32(0, turn);
    yield chunk;
  }
}

async function overBare(node: Libp2p, peer: string, port: number): Promise<number> {
  const connection = await node.dial(multiaddr(`/ip4/127.0.0.1/tcp/${port}/p2p/${peer}`));
  const stream = await connection.newStream(BARE_PROTOCOL);
  let bytes = 0;
  stream.addEventListener("message", ({ data }) => {
    bytes += data.byteLength;
  });
  const closed = once(stream as never, "close");
  await stream.close();
  await closed;
  return bytes;
}

async function overTls(port: number): Promise<number> {
  const psk = { ciphers: CIPHERS, maxVersion: "TLSv1.2", checkServerIdentity: () => undefined } as const;
  const socket = connect({ ...psk, port, host: "127.0.0.1", pskCallback: () => ({ psk: KEY, identity: "bench" }) });
  let bytes = 0;
  for await (const chunk of socket) bytes += (chunk as Uint8Array).length;
  return bytes;
}

async function speed(run: () => Promise<number>): Promise<number> {
  const startMs = performance.now();
  const bytes = await run();
  if (bytes !== BYTES) throw new Error(`${bytes} bytes came instead of ${BYTES}`);
  return bytes / MB / ((performance.now() - startMs) / 1_000);
}

export async function measureTransfer(say: (what: string, value: string) => void): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "skein-transfer-"));
  const secret = randomBytes(32).toString("hex");
  const keys = await Promise.all([1, 2].map(async () => Buffer.from((await createIdentity()).key).toString("hex")));
  const port = 20_000 + Math.floor(Math.random() * 20_000);
  const roster = keys.map(
    (key, i): RosterNode => ({
      nodeId: nodeIdOf(Buffer.from(key, "hex")),
      name: `bench-${i}`,
      addresses: [`/ip4/127.0.0.1/tcp/${port + i}`],
      admittedAtIndex: i,
    }),
  );
  const partOf = (i: number): Part => ({
    key: keys[i]!,
    secret,
    port: port + i,
    folder: join(folder, String(i)),
    roster,
  });
  const sender: ChildProcess = fork(import.meta.filename, {
    env: { ...process.env, TRANSFER_PART: JSON.stringify(partOf(1)) },
  });
  const node = await bareNode(port + 30);
  try {
    const [{ hash, bare }] = (await once(sender, "message")) as [{ hash: BlobHash; bare: string }];
    const { network, blobs, access } = await agentOf(partOf(0));
    while (!network.links().every(({ state }) => state === "up")) await wait(20);
    const ours: number[] = [];
    const libp2p: number[] = [];
    const tls: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      libp2p.push(await speed(() => overBare(node, bare, port + 11)));
      tls.push(await speed(() => overTls(port + 21)));
      ours.push(
        await speed(async () => {
          await access.ensureLocal(hash, [roster[1]!.nodeId as NodeId]);
          return (await blobs.size(hash)) ?? 0;
        }),
      );
      await blobs.remove(hash);
    }
    const [a, b, c] = [ours, libp2p, tls].map(median) as [number, number, number];
    say(`blob of ${BYTES / MB} MB, disk to disk, hash checked`, `${a.toFixed(0)} MB/s`);
    say("bare libp2p stream: noise, window of 256 KiB", `${b.toFixed(0)} MB/s`);
    say("raw TLS socket", `${c.toFixed(0)} MB/s`);
    say("of the bare stream (target at least 0.8)", (a / b).toFixed(2));
    say("of the TLS socket (target at least 0.2)", (a / c).toFixed(2));
    await network.stop();
    await blobs.close();
  } finally {
    sender.disconnect();
    await node.stop();
    await rm(folder, { recursive: true });
  }
}

process.once("disconnect", () => process.exit());
if (process.env.TRANSFER_PART) await send(JSON.parse(process.env.TRANSFER_PART) as Part);
