import { beforeEach, expect, test } from "vitest";
import { SkeinError } from "../../../shared/errors.ts";
import { SimFleet } from "./sim-fleet.ts";
import type { SimNode } from "./sim-node.ts";

let fleet: SimFleet;
beforeEach(async () => {
  fleet = new SimFleet(3, 3);
  await fleet.start();
  await fleet.until("a leader", () => fleet.leader !== undefined, 5_000);
  await fleet.run(2_000);
});

/** What it came to, while the fleet's time goes on. */
async function settled<T>(promise: Promise<T>): Promise<{ value: T } | { code: string; afterMs: number }> {
  const startMs = fleet.clock.monotonicMs();
  let told: { value: T } | { code: string; afterMs: number } | undefined;
  promise.then(
    (value) => {
      told = { value };
    },
    (error: unknown) => {
      told = { code: SkeinError.from(error).code, afterMs: fleet.clock.monotonicMs() - startMs };
    },
  );
  await fleet.until("an answer", () => told !== undefined, 10_000);
  return told!;
}
const set = (node: SimNode, value: string) => settled(node.agent!.setSetting("x", value));
const get = (node: SimNode) => settled(node.agent!.setting("x"));
const cutOff = (node: SimNode): void => {
  for (const other of fleet.nodes) if (other !== node) fleet.net.cut(node.nodeId, other.nodeId);
};

test("what one box sets, every box reads at once, the leader and the followers", async () => {
  for (const [i, node] of fleet.nodes.entries()) {
    expect(await set(node, `v${i}`)).toEqual({ value: { name: "x", value: `v${i}` } });
    for (const reader of fleet.nodes) expect(await get(reader)).toEqual({ value: { name: "x", value: `v${i}` } });
  }
});

test("a leader that is cut off never reads what is old: it refuses, and reads the new once it is back", async () => {
  const old = fleet.leader!;
  await set(old, "before");
  cutOff(old);
  const early = get(old);
  await fleet.until("another leads", () => fleet.nodes.some((n) => n !== old && leads(n)), 5_000);
  const next = fleet.nodes.find((n) => n !== old && leads(n))!;
  await set(next, "after");
  expect(await early).toMatchObject({ code: "NO_QUORUM" });
  expect(await get(old)).toMatchObject({ code: "NO_QUORUM", afterMs: expect.toSatisfy((ms: number) => ms <= 100) });
  fleet.mend();
  await fleet.until("it follows", () => old.agent!.raftStatus().leader === next.nodeId, 10_000);
  expect(await get(old)).toEqual({ value: { name: "x", value: "after" } });
});

test("a read that meets the death of the leader is answered by the next", async () => {
  await set(fleet.nodes[0]!, "kept");
  const reader = fleet.nodes.find((node) => !leads(node))!;
  const reading = get(reader);
  fleet.leader!.crash();
  expect(await reading).toEqual({ value: { name: "x", value: "kept" } });
});

test("a write that was handed to a leader which then fell silent is given up as soon as another leads", async () => {
  const leader = fleet.leader!;
  const writer = fleet.nodes.find((node) => node !== leader)!;
  cutOff(leader);
  const write = set(writer, "mine");
  const startMs = fleet.clock.monotonicMs();
  await fleet.until("another leads", () => fleet.nodes.some((node) => node !== leader && leads(node)), 5_000);
  const electedMs = fleet.clock.monotonicMs() - startMs;
  // A step of the simulation, and the heartbeat that tells the writer.
  expect(await write).toMatchObject({
    code: "OUTCOME_UNKNOWN",
    afterMs: expect.toSatisfy((ms) => ms < electedMs + 200),
  });
  fleet.mend();
});

test("a write whose answer was lost is never made twice: it is told that nobody knows", async () => {
  const leader = fleet.leader!;
  const writer = fleet.nodes.find((node) => node !== leader)!;
  // The question arrives, the answer does not.
  fleet.net.cutOneWay(leader.nodeId, writer.nodeId);
  expect(await set(writer, "mine")).toMatchObject({ code: "OUTCOME_UNKNOWN" });
  fleet.mend();
  await fleet.until("all is whole again", () => writer.agent!.raftStatus().leader !== undefined, 10_000);
  const third = fleet.nodes.find((node) => node !== leader && node !== writer)!;
  await set(third, "theirs");
  await fleet.run(6_000);
  expect(await get(writer)).toEqual({ value: { name: "x", value: "theirs" } });
});

const leads = (node: SimNode): boolean => node.agent?.raftStatus().role === "leader";
