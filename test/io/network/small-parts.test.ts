import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Dialler } from "../../../agent/io/network/dialler.ts";
import { createIdentity, fleetKey, nodeIdOf } from "../../../agent/io/network/identity.ts";
import { RateLimit } from "../../../agent/io/network/rate-limit.ts";
import { RoundTrips } from "../../../agent/io/network/round-trips.ts";
import { Turns } from "../../../agent/io/network/turns.ts";
import { isNodeId, type NodeId } from "../../../shared/ids.ts";
import { TIMING } from "../../../shared/limits.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

const [LOW, HIGH] = ["12D3KooWA", "12D3KooWB"] as NodeId[] as [NodeId, NodeId];

test("heartbeats that cross measure the round trip on both sides, without the time they were held", () => {
  const [a, b] = [new RoundTrips(), new RoundTrips()];
  b.heard(a.next(1_000), 5_004);
  a.heard(b.next(5_104), 1_111);
  expect(a.medianMs()).toBeCloseTo(11);
  expect(b.medianMs()).toBeUndefined();
  b.heard(a.next(1_200), 5_205);
  expect(b.medianMs()).toBeCloseTo(5_205 - 5_104 - 89);
});

test("an echo of what was never sent measures nothing", () => {
  const a = new RoundTrips();
  a.heard({ sequence: 1, echo: 4_000, heldMicros: 0xffffffff }, 10);
  expect(a.medianMs()).toBeUndefined();
});

test("turns are given in order, and one given back twice counts once", async () => {
  const turns = new Turns(2, 10, LOW);
  const order: number[] = [];
  const [first, second] = [await turns.take(), await turns.take()];
  const waiting = [3, 4, 5].map(async (n) => {
    const end = await turns.take();
    order.push(n);
    return end;
  });
  first();
  first();
  await waiting[0];
  await Promise.resolve();
  expect(order).toEqual([3]);
  second();
  (await waiting[0]!)();
  await Promise.all(waiting);
  expect(order).toEqual([3, 4, 5]);
});

test("a turn can be given up while waiting, and a full queue refuses", async () => {
  const turns = new Turns(1, 1, LOW);
  const end = await turns.take();
  const controller = new AbortController();
  const waiting = turns.take(controller.signal);
  await expect(turns.take()).rejects.toMatchObject({ code: "PEER_BUSY" });
  controller.abort(new Error("gave up"));
  await expect(waiting).rejects.toThrow("gave up");
  end();
  (await turns.take())();
});

test("a rate limit allows so many in a window, for each key by itself, and anew in the next", () => {
  const limit = new RateLimit(2, 1_000);
  expect([limit.allows("a"), limit.allows("a"), limit.allows("a"), limit.allows("b")]).toEqual([
    true,
    true,
    false,
    true,
  ]);
  vi.advanceTimersByTime(1_001);
  expect(limit.allows("a")).toBe(true);
});

test("a rate limit remembers a bounded number of keys", () => {
  const limit = new RateLimit(1, 1_000);
  limit.count("first");
  for (let i = 0; i < 1_000; i++) limit.count(`key ${i}`);
  expect(limit.isSpent("first")).toBe(false);
  expect(limit.isSpent("key 999")).toBe(true);
});

const dialler = (self: NodeId, peer: NodeId) => {
  const dials: [atMs: number, addresses: number][] = [];
  const made = new Dialler({
    self,
    addresses: () => ["/ip4/10.0.0.1/tcp/1", "/ip4/10.0.0.2/tcp/1"],
    isConnecting: () => false,
    dial: async (_, addresses) => {
      dials.push([performance.now(), addresses.length]);
      throw new Error("nobody there");
    },
    onFailed: () => {},
  });
  made.seek(peer);
  return { made, dials, startMs: performance.now() };
};

test("the lower id dials at once and then ever more slowly, to once a second, for ever", async () => {
  const { dials, startMs } = dialler(LOW, HIGH);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(dials.slice(0, 7).map(([atMs]) => atMs - startMs)).toEqual([0, 100, 300, 700, 1_500, 2_500, 3_500]);
  expect(dials.length).toBeGreaterThan(55);
  expect(dials.slice(0, 4).map(([, addresses]) => addresses)).toEqual([2, 1, 2, 1]);
});

test("the higher id leaves the first move to the other, but does not wait for ever", async () => {
  const { dials, startMs } = dialler(HIGH, LOW);
  await vi.advanceTimersByTimeAsync(300);
  expect(dials).toEqual([]);
  await vi.advanceTimersByTimeAsync(3_000);
  expect(dials.map(([atMs]) => atMs - startMs)).toEqual([400, 2_400]);
});

test("a peer that is found is no longer looked for; one that is sighted is dialled at once", async () => {
  const { made, dials } = dialler(LOW, HIGH);
  await vi.advanceTimersByTimeAsync(10_000);
  const before = dials.length;
  made.sighted(HIGH);
  await vi.advanceTimersByTimeAsync(0);
  expect(dials.length).toBe(before + 1);
  made.found(HIGH);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(dials.length).toBe(before + 1);
  expect(made.isSearching).toBe(false);
});

test("an attempt that hangs is begun anew at the first sighting, and left alone at the next", async () => {
  const signals: AbortSignal[] = [];
  const made = new Dialler({
    self: LOW,
    addresses: () => ["/ip4/10.0.0.1/tcp/1"],
    isConnecting: () => false,
    dial: (_, __, signal) => {
      signals.push(signal);
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    },
    onFailed: () => {},
  });
  made.seek(HIGH);
  await vi.advanceTimersByTimeAsync(10);
  made.sighted(HIGH);
  await vi.advanceTimersByTimeAsync(TIMING.redialMinMs);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
  made.sighted(HIGH);
  await vi.advanceTimersByTimeAsync(TIMING.redialMinMs);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
  made.stop();
});

test("an identity is a key and the id that follows from it; anything else is refused", async () => {
  const { nodeId, key } = await createIdentity();
  expect(isNodeId(nodeId)).toBe(true);
  expect(nodeIdOf(key)).toBe(nodeId);
  expect(() => nodeIdOf(Uint8Array.from([1, 2, 3]))).toThrow(expect.objectContaining({ code: "BAD_REQUEST" }));
});

test("each use of the fleet secret has a key of its own", () => {
  const secret = "12".repeat(32);
  expect(fleetKey(secret, "beacon")).not.toEqual(fleetKey(secret, "noise-prologue"));
  expect(fleetKey(secret, "beacon")).toEqual(fleetKey(secret, "beacon"));
  expect(() => fleetKey("12", "beacon")).toThrow(expect.objectContaining({ code: "BAD_REQUEST" }));
});
