import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chooseVictim, type DrillBox, type DrillFleet, whyNotUnplug } from "../../../agent/core/drill/index.ts";
import { DRILL_FAULTS, type DrillFault } from "../../../shared/drill.ts";
import type { NodeId } from "../../../shared/ids.ts";

const id = (name: string): NodeId => `12D3KooW${name.repeat(44)}` as NodeId;
const box = (name: string, more: Partial<DrillBox> = {}): DrillBox => ({
  nodeId: id(name),
  name,
  role: "voter",
  isThere: true,
  computes: true,
  isDrained: false,
  onlyCopies: 0,
  ...more,
});
const fleetOf = (boxes: DrillBox[], more: Partial<DrillFleet> = {}): DrillFleet => ({
  self: id("a"),
  leader: id("b"),
  boxes,
  voters: boxes.filter(({ role }) => role === "voter" || role === "witness").map(({ nodeId }) => nodeId),
  votersOutgoing: [],
  ...more,
});
const chosen = (fault: Exclude<DrillFault, "unplug">, fleet: DrillFleet): string => {
  const choice = chooseVictim(fault, fleet);
  if (typeof choice === "string") return choice;
  return choice.leaderFirst ? `${choice.victim.name} after ${choice.leaderFirst.name} leads` : choice.victim.name;
};
const three = (): DrillBox[] => [box("a"), box("b"), box("c")];

describe("whom a fault falls on", () => {
  test.each<[string, Exclude<DrillFault, "unplug">, DrillFleet, string]>([
    ["the leader", "killLeader", fleetOf(three()), "b"],
    [
      "the next leader, if the box that coordinates leads",
      "killLeader",
      fleetOf(three(), { leader: id("a") }),
      "b after b leads",
    ],
    ["neither the leader nor the box that coordinates", "freeze", fleetOf(three()), "c"],
    [
      "a box without a seat before one that votes",
      "killWorker",
      fleetOf([...three(), box("d", { role: "worker" })], { voters: three().map(({ nodeId }) => nodeId) }),
      "d",
    ],
    [
      "of two boxes with a witness the other one, once this one leads",
      "partition",
      fleetOf([box("a"), box("b"), box("w", { role: "witness", computes: false })]),
      "b after a leads",
    ],
    [
      "not a drained box to lead",
      "killLeader",
      fleetOf([box("a"), box("b", { isDrained: true }), box("c")], { leader: id("a") }),
      "c after c leads",
    ],
    [
      "not the box that holds the only copy, if there is another",
      "freeze",
      fleetOf([box("a"), box("b"), box("c", { onlyCopies: 2 }), box("d"), box("e")]),
      "d",
    ],
  ])("%s", (_says, fault, fleet, victim) => expect(chosen(fault, fleet)).toBe(victim));
});

describe("a fault is refused", () => {
  test.each<[string, DrillFleet, RegExp]>([
    ["on a box alone", fleetOf([box("a")], { leader: id("a") }), /no other box/],
    [
      "when half the voters would be left",
      fleetOf([box("a"), box("b")]),
      /only 1 of 2 voters would be left, and 2 are needed/,
    ],
    [
      "while a voter is missing, also if a quorum would be left without both",
      fleetOf([...three(), box("d", { isThere: false }), box("e")]),
      /^d cannot be reached/,
    ],
    [
      "while a witness is missing",
      fleetOf([box("a"), box("b"), box("w", { role: "witness", isThere: false })]),
      /^w cannot/,
    ],
    [
      "while a voter is on no roster that is known",
      fleetOf(three(), { voters: [id("a"), id("b"), id("z")] }),
      /cannot be reached/,
    ],
    ["while the membership changes", fleetOf(three(), { votersOutgoing: [id("a")] }), /membership is being changed/],
    ["while nobody leads", fleetOf(three(), { leader: undefined }), /nobody leads/],
    [
      "when every other box holds the only copy of something",
      fleetOf([box("a"), box("b", { onlyCopies: 1 }), box("c", { onlyCopies: 3 })]),
      /^c holds the only copy of 3/,
    ],
    [
      "when nothing that can lead would be left",
      fleetOf([box("a", { isDrained: true }), box("b"), box("w", { role: "witness", computes: false })]),
      /can lead|no other box/,
    ],
  ])("%s", (_says, fleet, reason) => expect(chosen("freeze", fleet)).toMatch(reason));

  test("if a person pulls it, too: the box that coordinates is spared, and so is the holder of an only copy", () => {
    const spared = whyNotUnplug(fleetOf([box("a"), box("b", { onlyCopies: 1 }), box("c")])) as Map<NodeId, string>;
    expect([...spared.keys()]).toEqual([id("a"), id("b")]);
    expect(whyNotUnplug(fleetOf([box("a"), box("b")]))).toMatch(/1 of 2 voters/);
  });
});

const anyBox = (name: string): fc.Arbitrary<DrillBox> =>
  fc
    .record({
      role: fc.constantFrom(
        "voter" as const,
        "voter" as const,
        "learner" as const,
        "worker" as const,
        "witness" as const,
      ),
      isThere: fc.boolean().map((flag) => flag || name < "c"),
      computes: fc.boolean(),
      isDrained: fc.boolean(),
      onlyCopies: fc.constantFrom(0, 0, 1),
    })
    .map((more) => box(name, name === "a" ? { ...more, role: "voter" } : more));
const anyFleet: fc.Arbitrary<DrillFleet> = fc
  .integer({ min: 1, max: 7 })
  .chain((size) => fc.tuple(...Array.from("abcdefg".slice(0, size), anyBox)))
  .chain((boxes) => {
    const fleet = fleetOf(boxes);
    const leading = boxes.filter(({ role, isThere }) => role === "voter" && isThere).map(({ nodeId }) => nodeId);
    return fc.constantFrom(...leading).map((leader) => ({ ...fleet, leader }));
  });

test("whoever is chosen, a quorum that can lead is left, nothing is lost with it, and the box that coordinates stays", () => {
  const faults = DRILL_FAULTS.filter((fault) => fault !== "unplug");
  let made = 0;
  fc.assert(
    fc.property(anyFleet, fc.constantFrom(...faults), (fleet, fault) => {
      const choice = chooseVictim(fault, fleet);
      if (typeof choice === "string") return;
      made++;
      const { victim, leaderFirst } = choice;
      const left = fleet.boxes.filter((one) => one.isThere && one !== victim && fleet.voters.includes(one.nodeId));
      expect(left.length * 2).toBeGreaterThan(fleet.voters.length);
      expect(left.some(({ role, isDrained }) => role === "voter" && !isDrained)).toBe(true);
      expect(victim).toMatchObject({ isThere: true, onlyCopies: 0 });
      expect(victim.nodeId).not.toBe(fleet.self);
      const leader = leaderFirst?.nodeId ?? fleet.leader;
      expect(victim.nodeId === leader).toBe(fault === "killLeader");
    }),
    { numRuns: 2_000 },
  );
  expect(made).toBeGreaterThan(100);
});
