import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Fleet, type FleetEffect } from "../../../agent/core/fleet/index.ts";
import type { CapacityReport } from "../../../shared/capacity.ts";
import type { LinkView, NodeRole, RosterNode } from "../../../shared/fleet.ts";
import type { NodeId } from "../../../shared/ids.ts";
import { TIMING } from "../../../shared/limits.ts";
import { capacityReport, nodeIdOf } from "./reports.ts";

const [a, b, c] = ["a", "b", "c"].map(nodeIdOf) as [NodeId, NodeId, NodeId];
const rosterOf = (...ids: NodeId[]): RosterNode[] =>
  ids.map((nodeId, i) => ({ nodeId, name: `node-${nodeId.slice(-1)}`, addresses: [], admittedAtIndex: i + 1 }));
const voters = (...ids: NodeId[]) => new Map<NodeId, NodeRole>(ids.map((id) => [id, "voter"]));

let fleet: Fleet;
beforeEach(() => {
  fleet = new Fleet({ self: a });
  fleet.step({ kind: "rosterChanged", roster: rosterOf(a, b), roles: voters(a, b), atMs: 0 });
});
afterEach(() => fleet.assertSound());

const report = (atMs: number, facts: Partial<CapacityReport> = {}) =>
  fleet.step({ kind: "reportReceived", report: capacityReport(b, facts), atMs });
const link = (atMs: number, state: LinkView["state"], nodeId = b) =>
  fleet.step({ kind: "linkChanged", link: { nodeId, state, silentMs: 0 }, atMs });
const tick = (atMs: number) => fleet.step({ kind: "ticked", atMs });
const view = (atMs: number, nodeId = b) => fleet.nodes(atMs).find((node) => node.nodeId === nodeId)!;
const told = (effects: FleetEffect[]) => effects.map(({ from, to, because }) => `${from} -> ${to}: ${because}`);
const becomeFresh = () => {
  link(0, "up");
  report(0, { sequence: 1 });
};

describe("presence", () => {
  test("a node is gone until it is heard, and fresh once its link is up and a report has come", () => {
    expect(view(0).presence).toBe("gone");
    expect(told(link(0, "up"))).toEqual([]);
    expect(told(report(10))).toEqual(["gone -> fresh: its link is up and its reports arrive"]);
    expect(view(10).presence).toBe("fresh");
  });

  test("silence makes a node late, and longer silence gone", () => {
    becomeFresh();
    expect(tick(TIMING.capacityLateMs)).toEqual([]);
    expect(told(tick(TIMING.capacityLateMs + 1))).toEqual(["fresh -> late: no report for 7.5 s"]);
    expect(tick(TIMING.capacityGoneMs)).toEqual([]);
    expect(told(tick(TIMING.capacityGoneMs + 1))).toEqual(["late -> gone: no report for 20.0 s"]);
    expect(told(report(30_000, { sequence: 2 }))).toEqual(["gone -> fresh: its link is up and its reports arrive"]);
  });

  test("a link that is down makes a node late at once, and gone after a while although its reports still arrive", () => {
    becomeFresh();
    expect(told(link(1000, "down"))).toEqual(["fresh -> late: its link is down"]);
    report(5000, { sequence: 2 });
    expect(tick(1000 + TIMING.linkGoneMs)).toEqual([]);
    expect(told(tick(1001 + TIMING.linkGoneMs))).toEqual(["late -> gone: its link is down, for 10.0 s now"]);
  });

  test("a suspect link makes a node late, and fresh again when it is trusted again", () => {
    becomeFresh();
    expect(told(link(900, "suspect"))).toEqual(["fresh -> late: its link is silent"]);
    expect(told(link(1200, "up"))).toEqual(["late -> fresh: its link is up and its reports arrive"]);
  });

  test("a node whose reports come only by way of others is late, then gone: no work could be sent to it", () => {
    expect(told(report(10))).toEqual(["gone -> late: there is no link to it yet"]);
    for (let at = 1; at <= 3; at++) report(at * 3000, { sequence: 1 + at });
    expect(told(tick(TIMING.linkGoneMs + 1))).toEqual(["late -> gone: there is no link to it yet, for 10.0 s now"]);
  });

  test("a repeated report of one state does not restart the clock of a link that is down", () => {
    becomeFresh();
    link(1000, "down");
    link(9000, "down");
    report(9000, { sequence: 2 });
    expect(tick(1001 + TIMING.linkGoneMs)).toHaveLength(1);
  });

  test("a node is always fresh to itself", () => {
    expect(view(10 * TIMING.capacityGoneMs, a)).toMatchObject({ isSelf: true, presence: "fresh" });
    expect(tick(10 * TIMING.capacityGoneMs).filter((effect) => effect.nodeId === a)).toEqual([]);
  });

  test("asking for a view changes nothing, and the view needs no tick to be true", () => {
    becomeFresh();
    expect(view(TIMING.capacityGoneMs + 1).presence).toBe("gone");
    expect(view(1).presence).toBe("fresh");
    expect(tick(TIMING.capacityGoneMs + 1)).toHaveLength(1);
  });

  test("time that goes back is taken as standing still", () => {
    becomeFresh();
    tick(TIMING.capacityLateMs + 1);
    expect(tick(0)).toEqual([]);
    expect(view(0).presence).toBe("late");
  });
});

describe("reports", () => {
  test("within a life the larger sequence wins, in whatever order they arrive", () => {
    report(0, { sequence: 5, itemsQueued: 5 });
    report(1, { sequence: 4, itemsQueued: 4 });
    report(2, { sequence: 5, itemsQueued: 9 });
    expect(view(2).report).toMatchObject({ sequence: 5, itemsQueued: 5 });
  });

  test("an older report is no sign of life", () => {
    becomeFresh();
    report(TIMING.capacityLateMs + 1, { sequence: 1 });
    expect(view(TIMING.capacityLateMs + 1).presence).toBe("late");
  });

  test("a later life wins with any sequence", () => {
    report(0, { startedAtMs: 1000, sequence: 500 });
    report(1, { startedAtMs: 2000, sequence: 0 });
    expect(view(1).report).toMatchObject({ startedAtMs: 2000, sequence: 0 });
  });

  test("an earlier life is ignored while the later one is heard", () => {
    report(0, { startedAtMs: 2000 });
    report(TIMING.capacityLateMs, { startedAtMs: 1000, sequence: 900 });
    expect(view(TIMING.capacityLateMs).report).toMatchObject({ startedAtMs: 2000 });
  });

  test("a box that woke up in the past, without a clock battery, is believed once its other life is silent", () => {
    report(0, { startedAtMs: 2000, sequence: 900 });
    report(TIMING.capacityLateMs + 1, { startedAtMs: 1000, sequence: 0 });
    expect(view(TIMING.capacityLateMs + 1).report).toMatchObject({ startedAtMs: 1000, sequence: 0 });
  });

  test("a node that is not on the roster is not believed", () => {
    expect(fleet.step({ kind: "reportReceived", report: capacityReport(c), atMs: 0 })).toEqual([]);
    expect(fleet.nodes(0).map((node) => node.nodeId)).toEqual([a, b]);
  });
});

describe("the roster", () => {
  test("gives names, roles and order; a node without a role is a worker", () => {
    fleet.step({ kind: "rosterChanged", roster: rosterOf(a, b, c).reverse(), roles: voters(a, b), atMs: 0 });
    expect(fleet.nodes(0).map(({ name, role }) => `${name} ${role}`)).toEqual([
      "node-a voter",
      "node-b voter",
      "node-c worker",
    ]);
  });

  test("a change of it keeps what is known of those who stay and forgets those who leave", () => {
    becomeFresh();
    fleet.step({ kind: "rosterChanged", roster: rosterOf(a, b, c), roles: voters(a, b, c), atMs: 10 });
    expect(view(10)).toMatchObject({ presence: "fresh", report: { nodeId: b } });
    fleet.step({ kind: "rosterChanged", roster: rosterOf(a, c), roles: voters(a, c), atMs: 20 });
    fleet.step({ kind: "rosterChanged", roster: rosterOf(a, c, b), roles: voters(a, b, c), atMs: 30 });
    expect(view(30).report).toBeUndefined();
    expect(view(30).presence).toBe("gone");
  });

  test("a link that came up before its node was admitted counts from admission on", () => {
    link(5, "up", c);
    fleet.step({ kind: "rosterChanged", roster: rosterOf(a, b, c), roles: voters(a, b, c), atMs: 10 });
    fleet.step({ kind: "reportReceived", report: capacityReport(c), atMs: 20 });
    expect(view(20, c).presence).toBe("fresh");
  });
});

test("a link that came and went before its node was admitted is forgotten", () => {
  link(5, "up", c);
  link(6, "down", c);
  fleet.step({ kind: "rosterChanged", roster: rosterOf(a, b, c), roles: voters(a, b, c), atMs: 10 });
  expect(view(10, c).link).toBeUndefined();
});

describe("a view", () => {
  test("says who leads, and that nobody does", () => {
    fleet.step({ kind: "leaderChanged", leader: b });
    expect(fleet.nodes(0).map((node) => node.isLeader)).toEqual([false, true]);
    fleet.step({ kind: "leaderChanged", leader: undefined });
    expect(fleet.nodes(0).map((node) => node.isLeader)).toEqual([false, false]);
  });

  test("lets the silence of a link that is not up grow, and leaves one that is up alone", () => {
    fleet.step({ kind: "linkChanged", link: { nodeId: b, state: "up", rttMs: 2, silentMs: 40 }, atMs: 0 });
    expect(view(5000).link).toEqual({ nodeId: b, state: "up", rttMs: 2, silentMs: 40 });
    fleet.step({ kind: "linkChanged", link: { nodeId: b, state: "suspect", rttMs: 2, silentMs: 800 }, atMs: 6000 });
    fleet.step({ kind: "linkChanged", link: { nodeId: b, state: "suspect", rttMs: 2, silentMs: 900 }, atMs: 6100 });
    expect(view(6200).link).toMatchObject({ state: "suspect", silentMs: 1000 });
  });
});
