/** Whoever is not of the fleet, or is and speaks nonsense, costs it a line in the log and nothing else. */
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { multiaddr } from "@multiformats/multiaddr";
import { beforeEach, expect, test } from "vitest";
import { framed } from "../../agent/io/network/framing.ts";
import { LIMITS } from "../../shared/limits.ts";
import { RawPeer } from "../io/network/raw-peer.ts";
import { setStage } from "./promises.ts";
import type { RealAgent } from "./real-agent.ts";

const stage = setStage(["attic", "bench", "cellar"]);
beforeEach(() => stage.fleet.whole());

interface FleetFile {
  fleetSecret: string;
  roster: { nodeId: string; addresses: string[] }[];
}

const fleetFileOf = async (agent: RealAgent): Promise<FleetFile> =>
  JSON.parse(await readFile(join(agent.dataDir, "fleet.json"), "utf8")) as FleetFile;

const portOf = async (agent: RealAgent): Promise<number> => {
  const { network } = JSON.parse(await readFile(join(agent.dataDir, "config.json"), "utf8"));
  return (network as { port: number }).port;
};

/** Lines of an agent's log with all of these words. */
async function linesWith(agent: RealAgent, ...words: string[]): Promise<string[]> {
  const lines = (await readFile(agent.logPath, "utf8")).split("\n");
  return lines.filter((line) => words.every((word) => line.includes(word)));
}

/** Resolves when each of these agents has logged that it refused this stranger, and why. */
async function refused(by: readonly RealAgent[], code: string, peer: string): Promise<void> {
  const hasSaid = async (agent: RealAgent) => (await linesWith(agent, '"strangerRefused"', code, peer)).length > 0;
  await stage.fleet.poll(`${by.map(({ name }) => name).join(", ")} refused the stranger: ${code}`, async () =>
    (await Promise.all(by.map(hasSaid))).every(Boolean),
  );
}

/** A whole agent with a key of its own, the data folder of which says that it belongs to this fleet. */
async function impostor(name: string, like: RealAgent, change: Partial<FleetFile>): Promise<RealAgent> {
  const { fleet } = stage;
  const agent = await fleet.prepare(name);
  await fleet.setUp(agent, "init", "--fleet", "test");
  await writeFile(join(agent.dataDir, "fleet.json"), JSON.stringify({ ...(await fleetFileOf(like)), ...change }));
  await agent.start();
  return agent;
}

/** Does the work of `set` while the disturbance lasts; the same leader leads in the same term before and after. */
async function expectUndisturbed(set: number, disturb: () => Promise<void>): Promise<void> {
  const { fleet } = stage;
  const leader = await fleet.leader();
  const { term } = await leader.client.fleet();
  await disturb();
  const jobId = await fleet.submit(leader, stage.pages(set));
  await stage.expectPromisesHeld(jobId, stage.pages(set));
  expect(await leader.client.fleet()).toMatchObject({ term, leader: leader.nodeId });
}

test("an agent with another fleet's secret is refused by name, and the fleet goes on", async () => {
  const { fleet } = stage;
  const [, bench] = fleet.agents as [RealAgent, RealAgent];
  let stranger: RealAgent | undefined;
  await expectUndisturbed(0, async () => {
    stranger = await impostor("stranger", bench, { fleetSecret: randomBytes(32).toString("hex") });
    await refused([fleet.agents[0]!], "WRONG_FLEET", "127.0.0.1");
  });
  await fleet.poll("the stranger answers", async () => (await stranger!.client.fleet()).fleetName === "test");
  const view = await stranger!.client.fleet();
  expect(view.leader).toBeUndefined();
  expect(view.nodes.filter(({ isSelf, link }) => !isSelf && link?.state !== "down")).toEqual([]);
  await stranger!.kill();
});

test("an agent with the fleet's secret that is not on the roster is refused by name, and the fleet goes on", async () => {
  const { fleet } = stage;
  const [attic, bench] = fleet.agents as [RealAgent, RealAgent];
  let stranger: RealAgent | undefined;
  await expectUndisturbed(1, async () => {
    stranger = await impostor("uninvited", bench, {});
    await refused([attic], "NOT_ON_ROSTER", stranger.nodeId);
  });
  await fleet.poll("the stranger answers", async () => (await stranger!.client.fleet()).fleetName === "test");
  const view = await stranger!.client.fleet();
  expect(view.leader).toBeUndefined();
  expect(view.nodes.filter(({ isSelf, link }) => !isSelf && link?.state !== "down")).toEqual([]);
  const { nodes } = await attic.client.fleet();
  expect(nodes.map(({ name }) => name).sort()).toEqual(["attic", "bench", "cellar"]);
  await stranger!.kill();
});

const NOISE: (() => Uint8Array)[] = [
  () => randomBytes(64 * 1024),
  () => Buffer.from("GET / HTTP/1.1\r\nhost: skein\r\n\r\n"),
  // A handshake that turns into noise, and one with the largest frame there is.
  () => Buffer.concat([multistream("/noise"), randomBytes(4_096)]),
  () => Buffer.concat([multistream("/noise"), Buffer.from([0xff, 0xff]), randomBytes(0xffff)]),
  // The name of a protocol, of eight megabytes.
  () => Buffer.concat([Buffer.from([0x80, 0x80, 0x80, 0x04]), randomBytes(8e6)]),
];

/** What libp2p says first: each line with its length before it (multistream-select 1.0). */
function multistream(protocol: string): Buffer {
  const line = (text: string): Buffer => Buffer.from([text.length + 1, ...Buffer.from(`${text}\n`)]);
  return Buffer.concat([line("/multistream/1.0.0"), line(protocol)]);
}

test("garbage on an agent's ports is hung up on, and the fleet goes on", async () => {
  const { fleet } = stage;
  await expectUndisturbed(2, async () => {
    for (const agent of fleet.agents)
      for (const port of [await portOf(agent), Number(new URL(agent.client.url).port)])
        await Promise.all(NOISE.map((bytes) => pour(port, bytes())));
  });
});

/** A port that neither answers nor hangs up is left alone after this. */
const POUR_MS = 10_000;

/** Sends bytes to a port and ends; what is said back, a hang-up included, is nobody's concern. */
async function pour(port: number, bytes: Uint8Array): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.resume();
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.end(bytes);
  const patience = setTimeout(() => socket.destroy(), POUR_MS);
  await closed;
  clearTimeout(patience);
}

test("a box of the roster that sends oversized and senseless frames is hung up on, and the fleet goes on without it", async () => {
  const { fleet } = stage;
  const leader = await fleet.leader();
  const broken = fleet.others(leader)[0]!;
  await broken.kill();
  const { fleetSecret } = await fleetFileOf(broken);
  const raw = await RawPeer.start(fleetSecret, await readFile(join(broken.dataDir, "identity.key")));
  try {
    for (const target of fleet.others(broken)) {
      const address = multiaddr(`/ip4/127.0.0.1/tcp/${await portOf(target)}/p2p/${target.nodeId}`);
      const senseless = framed(new Uint8Array(10_000).fill(0xff));
      const said: ["consensus" | "request", Uint8Array][][] = [
        [["consensus", Uint8Array.from([0xff, 0xff, 0xff, 0xff])]],
        [["request", framed(new Uint8Array(LIMITS.frameBytesMax + 1))]],
        // What is whole but makes no sense to consensus is passed over; among requests it ends the link.
        [
          ["consensus", senseless],
          ["request", senseless],
        ],
      ];
      for (const frames of said) {
        const connection = await raw.node.dial(address, { force: true });
        const lanes = await raw.link(connection);
        for (const [lane, bytes] of frames) lanes[lane].send(bytes);
        await fleet.poll(`${target.name} hangs up`, async () => connection.status !== "open");
      }
      expect(await linesWith(target, '"linkBrokenOff"', "FRAME_INVALID", broken.nodeId)).toHaveLength(3);
    }
  } finally {
    await raw.stop();
  }
  const jobId = await fleet.submit(leader, stage.pages(3));
  await fleet.jobEnded(jobId, fleet.others(broken));
  await fleet.start(broken);
  await stage.expectPromisesHeld(jobId, stage.pages(3));
});
