/**
 * What the network costs, between processes on loopback: `node test/bench/network.ts`. Prints round trips of a small
 * request alone and beside a bulk transfer, the fetch of a 600 KB blob, throughput, and what an idle node with two peers
 * takes; and the transfer of a large blob beside its bare carriers (transfer.ts). Run it on a quiet machine; both ends share its cores.
 */
import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createIdentity, createPeerNetwork, nodeIdOf } from "../../agent/io/network/index.ts";
import type { PeerNetwork } from "../../agent/ports/index.ts";
import type { RosterNode } from "../../shared/fleet.ts";
import type { BlobHash, FleetId } from "../../shared/ids.ts";
import { measureTransfer } from "./transfer.ts";

const FLEET = { fleetId: "0f".repeat(16) as FleetId };
const PAGE = "aa".repeat(32) as BlobHash;
const ENDLESS = "bb".repeat(32) as BlobHash;
const IDLE_S = Number(process.env.IDLE_S ?? 20);
const quiet = { log: () => {} };

interface Part {
  key: string;
  secret: string;
  port: number;
  roster: RosterNode[];
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;
const p99 = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.99)]!;
const say = (what: string, value: string): void => console.log(`${what.padEnd(58)} ${value}`);

async function play({ key, secret, port, roster }: Part): Promise<PeerNetwork> {
  const network = createPeerNetwork(
    {
      ...FLEET,
      nodeKey: Buffer.from(key, "hex"),
      fleetSecret: secret,
      nodeName: `bench-${port}`,
      listenPort: port,
      listenHosts: ["127.0.0.1"],
      beacon: "off",
    },
    { telemetry: quiet },
  );
  network.onRequest("echo", async (_, body) => body);
  network.serveBlobs(async (hash, offset) => {
    const bytes = hash === PAGE ? 600_000 : 4 * 1024 ** 3;
    const chunk = new Uint8Array(256 * 1024);
    return {
      bytes,
      chunks: (async function* () {
        for (let at = offset; at < bytes; at += chunk.byteLength)
          yield chunk.subarray(0, Math.min(chunk.byteLength, bytes - at));
      })(),
    };
  });
  await network.start();
  network.admit(roster);
  return network;
}

async function timed(count: number, run: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const startMs = performance.now();
    await run();
    times.push(performance.now() - startMs);
  }
  return times;
}

async function drain(chunks: AsyncIterable<Uint8Array>): Promise<number> {
  let bytes = 0;
  for await (const chunk of chunks) bytes += chunk.byteLength;
  return bytes;
}

async function measure(network: PeerNetwork, roster: RosterNode[]): Promise<void> {
  const peer = roster[1]!.nodeId;
  const ping = new Uint8Array(64);
  const echo = () => network.request(peer, "echo", ping);
  const fetchPage = async () => drain((await network.fetchBlob(peer, PAGE)).chunks);
  await timed(2_000, echo);
  await timed(50, fetchPage);

  const alone = await timed(3_000, echo);
  say("request of 64 B, alone: p50 / p99", `${median(alone).toFixed(2)} / ${p99(alone).toFixed(2)} ms`);
  const pages = await timed(200, fetchPage);
  say(
    "fetch of a 600 KB blob: p50 / p99 (target p50 < 10)",
    `${median(pages).toFixed(2)} / ${p99(pages).toFixed(2)} ms`,
  );

  const controller = new AbortController();
  let bulkBytes = 0;
  const startMs = performance.now();
  const bulk = (async () => {
    const { chunks } = await network.fetchBlob(peer, ENDLESS, { signal: controller.signal });
    for await (const chunk of chunks) bulkBytes += chunk.byteLength;
  })().catch(() => {});
  await wait(200);
  const beside: number[] = [];
  while (performance.now() - startMs < 5_000) beside.push(...(await timed(1, echo)));
  const bulkMBps = bulkBytes / 1e3 / (performance.now() - startMs);
  controller.abort(new Error("enough"));
  await bulk;
  say(
    "request beside a bulk transfer: p50 / p99 (target p50 < 3)",
    `${median(beside).toFixed(2)} / ${p99(beside).toFixed(2)} ms`,
  );
  say("that bulk transfer", `${bulkMBps.toFixed(0)} MB/s`);

  await wait(3_000);
  const cpu = process.cpuUsage();
  await wait(IDLE_S * 1_000);
  const { user, system } = process.cpuUsage(cpu);
  say(
    `idle with two peers, ${IDLE_S} s: CPU of one core (target < 0.3 %)`,
    `${((user + system) / IDLE_S / 1e4).toFixed(2)} %`,
  );
  say("resident after all this (no executors)", `${Math.round(process.memoryUsage().rss / 1e6)} MB`);
}

/** In a process of its own, that has done nothing but link to two peers. */
async function idle(network: PeerNetwork): Promise<void> {
  while (!network.links().every(({ state }) => state === "up")) await wait(50);
  await wait(5_000);
  const cpu = process.cpuUsage();
  await wait(IDLE_S * 1_000);
  const { user, system } = process.cpuUsage(cpu);
  say(`fresh and idle, ${IDLE_S} s: CPU of one core`, `${((user + system) / IDLE_S / 1e4).toFixed(2)} %`);
  say("fresh and idle: resident", `${Math.round(process.memoryUsage().rss / 1e6)} MB`);
}

async function main(): Promise<void> {
  const part = process.env.BENCH_PART;
  if (part) {
    const { role, ...rest } = JSON.parse(part) as Part & { role: string };
    const network = await play(rest);
    if (role === "idle") await idle(network);
    if (role === "idle") process.send?.("done");
    return;
  }
  const secret = randomBytes(32).toString("hex");
  const keys = await Promise.all([1, 2, 3].map(async () => Buffer.from((await createIdentity()).key).toString("hex")));
  const port = 20_000 + Math.floor(Math.random() * 20_000);
  const roster = keys.map(
    (key, i): RosterNode => ({
      nodeId: nodeIdOf(Buffer.from(key, "hex")),
      name: `bench-${i}`,
      addresses: [`/ip4/127.0.0.1/tcp/${port + i}`],
      admittedAtIndex: i,
    }),
  );
  const children: ChildProcess[] = ["serve", "idle"].map((role, i) =>
    fork(import.meta.filename, {
      env: {
        ...process.env,
        BENCH_PART: JSON.stringify({ role, key: keys[i + 1], secret, port: port + i + 1, roster }),
      },
    }),
  );
  const idleDone = new Promise((resolve) => children[1]!.once("message", resolve));
  const network = await play({ key: keys[0]!, secret, port, roster });
  while (!network.links().every(({ state }) => state === "up")) await wait(20);
  await idleDone;
  await measure(network, roster);
  for (const child of children) child.kill("SIGKILL");
  await network.stop();
  await measureTransfer(say);
  process.exit();
}

await main();
