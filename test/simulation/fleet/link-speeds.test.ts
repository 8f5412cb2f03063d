/** How fast bytes come from a peer, seen on transfers, and what a peer's answer must be to be believed. */
import { expect, test } from "vitest";
import { LinkSpeeds } from "../../../agent/runtime/link-speeds.ts";
import { Peers } from "../../../agent/runtime/peers.ts";
import type { Surroundings } from "../../../agent/runtime/surroundings.ts";
import type { NodeId } from "../../../shared/ids.ts";
import { LIMITS, TIMING } from "../../../shared/limits.ts";
import { PEER_WIRE } from "../../../shared/wire/peer.ts";
import { PretendNet } from "../../support/pretend-network.ts";
import type { PretendPeer } from "../../support/pretend-peer.ts";
import { seededRandomness, VirtualClock } from "../../support/virtual-clock.ts";

const [A, B] = ["box-a", "box-b"] as [NodeId, NodeId];
const MB = 1_000_000;

interface World {
  clock: VirtualClock;
  speeds: LinkSpeeds;
  network: PretendPeer;
  other: PretendPeer;
  changes: () => number;
}

async function world(itemsQueued: () => number = () => 0): Promise<World> {
  const clock = new VirtualClock();
  const net = new PretendNet(clock, seededRandomness(4));
  const [network, other] = [net.join(A), net.join(B)];
  let changes = 0;
  const surroundings = { network, clock, telemetry: { log: () => {} } } as unknown as Surroundings;
  const speeds = new LinkSpeeds(surroundings, {
    peers: new Peers(network),
    itemsQueued,
    nodes: () => 2,
    onChange: () => {
      changes++;
    },
  });
  for (const peer of [network, other]) {
    await peer.start();
    peer.admit(
      [A, B].map((nodeId) => ({ nodeId, name: nodeId, addresses: [net.addressOf(nodeId)], admittedAtIndex: 0 })),
    );
  }
  speeds.start();
  await clock.runUntil(2_000);
  return { clock, speeds, network, other, changes: () => changes };
}

/** So many chunks of 100 kB, one each `everyMs`, through the meter. */
async function transfer({ clock, speeds }: World, chunks: number, everyMs: number): Promise<void> {
  async function* come(): AsyncGenerator<Uint8Array> {
    for (let i = 0; i < chunks; i++) {
      await new Promise<void>((resolve) => clock.after(everyMs, resolve));
      yield new Uint8Array(100_000);
    }
  }
  const read = (async () => {
    let bytes = 0;
    for await (const chunk of speeds.metered(B, come())) bytes += chunk.byteLength;
    return bytes;
  })();
  await clock.runUntil(clock.monotonicMs() + chunks * everyMs + 1);
  expect(await read).toBe(100_000 * chunks);
}

test("a transfer tells the speed, and what is told first is told at once", async () => {
  const there = await world();
  await transfer(there, 20, 10);
  expect(there.speeds.links()).toEqual([{ nodeId: B, bytesPerSecond: 10 * MB }]);
  expect(there.speeds.of(B)).toEqual({ bytesPerSecond: 10 * MB, from: "transfers" });
  expect(there.changes()).toBe(1);
});

test("several transfers at once from one peer count together", async () => {
  const there = await world();
  await Promise.all([transfer(there, 10, 10), transfer(there, 10, 10)]);
  expect(there.speeds.of(B)?.bytesPerSecond).toBe(20 * MB);
});

test("a small one tells nothing; a slow one tells it when enough has come", async () => {
  const there = await world();
  await transfer(there, 2, 1);
  expect(there.speeds.links()).toEqual([]);
  await transfer(there, 4, 2_000);
  expect(there.speeds.of(B)?.bytesPerSecond).toBe(50_000);
});

test("what is faster is believed sooner than what is slower", async () => {
  const there = await world();
  await transfer(there, 10, 10);
  await transfer(there, 10, 5);
  expect(there.speeds.of(B)?.bytesPerSecond).toBe(15 * MB);
  await transfer(there, 10, 20);
  expect(there.speeds.of(B)?.bytesPerSecond).toBeCloseTo(13.5 * MB, -5);
});

test("a link of which a transfer told is not asked, and one that left the fleet is forgotten", async () => {
  const there = await world();
  let asked = 0;
  there.other.onRequest("speed", async () => {
    asked++;
    return new Uint8Array(0);
  });
  await transfer(there, 20, 10);
  await there.clock.runUntil(3 * TIMING.linkSpeedLookMs);
  expect(asked).toBe(0);
  there.speeds.keepOnly(new Set([A]));
  expect(there.speeds.links()).toEqual([]);
});

test("an answer of another length, or of none, is not believed and not asked for again", async () => {
  for (const payload of [new Uint8Array(0), new Uint8Array(LIMITS.speedBytesMax)]) {
    const there = await world();
    let asked = 0;
    there.other.onRequest("speed", async () => {
      asked++;
      return PEER_WIRE.speed.answer.encode({ payload });
    });
    await there.clock.runUntil(5 * TIMING.linkSpeedLookMs);
    expect(there.speeds.links()).toEqual([]);
    expect(asked).toBe(1);
  }
});

test("a question for more than there may be is refused", () => {
  const bytes = PEER_WIRE.speed.question.encode({ bytes: LIMITS.speedBytesMax + 1 });
  expect(() => PEER_WIRE.speed.question.decode(bytes)).toThrow(/bytes/);
});

test("a box that works answers that it is busy, and asks nobody", async () => {
  const there = await world(() => 1);
  await there.clock.runUntil(3 * TIMING.linkSpeedLookMs);
  expect(there.speeds.links()).toEqual([]);
  const question = PEER_WIRE.speed.question.encode({ bytes: 10 });
  const refusal = there.other.request(A, "speed", question).then(
    () => "answered",
    (error: { code: string }) => error.code,
  );
  await there.clock.runUntil(there.clock.monotonicMs() + 100);
  expect(await refusal).toBe("PEER_BUSY");
});
