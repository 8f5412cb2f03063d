import fc from "fast-check";
import { expect, test } from "vitest";
import type { MembershipChange } from "../../../agent/core/membership/index.ts";
import { changeConf, EMPTY_CONF, votersOf } from "../../../agent/core/raft/index.ts";
import type { Presence } from "../../../shared/fleet.ts";
import { FleetModel, GONE_AFTER_MS, id, textOf } from "./fleet-model.ts";

const FULL = "abcdefgh";
const PRESENCES: Presence[] = ["fresh", "fresh", "fresh", "late", "gone"];

/** Whatever the fleet went through: boxes join, leave, sleep for a while or for good, lag; the most voters is changed. */
type Turn =
  | { kind: "presence"; name: string; presence: Presence; absentForMs: number }
  | { kind: "removed" | "admitted"; name: string }
  | { kind: "behind"; name: string; isBehind: boolean }
  | { kind: "votersMax"; votersMax: number };

const anyName = fc.constantFrom(...FULL, "v", "w");
const anyTurn: fc.Arbitrary<Turn> = fc.oneof(
  fc.record({
    kind: fc.constant("presence" as const),
    name: anyName,
    presence: fc.constantFrom(...PRESENCES),
    absentForMs: fc.constantFrom(1, GONE_AFTER_MS),
  }),
  fc.record({ kind: fc.constantFrom("removed" as const, "admitted" as const), name: anyName }),
  fc.record({ kind: fc.constant("behind" as const), name: anyName, isBehind: fc.boolean() }),
  fc.record({ kind: fc.constant("votersMax" as const), votersMax: fc.integer({ min: 1, max: 7 }) }),
);
const anyTurns = fc.array(fc.record({ turn: anyTurn, steps: fc.integer({ min: 0, max: 6 }) }), { maxLength: 40 });

function turn(fleet: FleetModel, { kind, ...facts }: Turn): void {
  if (kind === "votersMax") fleet.votersMax = (facts as { votersMax: number }).votersMax;
  const { name } = facts as { name: string };
  const known = fleet.nodes.find((node) => node.name === name);
  if (kind === "admitted" && !known && !fleet.removed.some((node) => node.name === name))
    fleet.nodes.push({ name, part: "vw".includes(name) ? "witness" : "full", presence: "fresh", absentForMs: 0 });
  if (!known || name === "a") return;
  if (kind === "removed") fleet.remove(name);
  if (kind === "presence") {
    const { presence, absentForMs } = facts as { presence: Presence; absentForMs: number };
    Object.assign(known, { presence, absentForMs: presence === "fresh" ? 0 : absentForMs });
  }
  if (kind === "behind") {
    if ((facts as { isBehind: boolean }).isBehind) fleet.behind.add(name);
    else fleet.behind.delete(name);
  }
}

/** The leader hears a quorum, or it would not lead. */
function leads(fleet: FleetModel): boolean {
  const { reachable } = fleet.input();
  return fleet.voters.filter((nodeId) => reachable.has(nodeId)).length > fleet.voters.length / 2;
}

function expectAgreeable(fleet: FleetModel, change: MembershipChange): void {
  const { reachable } = fleet.input();
  const before = fleet.voters;
  const witnesses = before.filter((nodeId) => "vw".includes(nodeId));
  const conf = { ...EMPTY_CONF, voters: before, learners: fleet.learners, witnesses };
  const outcome = changeConf(conf, { steps: change.steps, transition: "auto" });
  if ("invalid" in outcome) throw new Error(`${textOf(change)}: ${outcome.invalid}`);
  for (const half of [outcome.conf.voters, outcome.conf.votersOutgoing])
    expect(half.length === 0 || half.filter((nodeId) => reachable.has(nodeId)).length > half.length / 2).toBe(true);
  expect(votersOf(outcome.conf)).toContain(fleet.self);
}

test("from any state the steps are agreeable, keep the leader, and come to rest", () => {
  fc.assert(
    fc.property(anyTurns, (turns) => {
      const fleet = new FleetModel("a");
      const advance = (stepsMax: number): number => {
        for (let n = 0; n < stepsMax; n++) {
          const change = leads(fleet) ? fleet.next() : undefined;
          if (!change) return n;
          expectAgreeable(fleet, change);
          const seated = fleet.voters.length;
          fleet.take(change);
          expect(fleet.learners.length).toBeLessThanOrEqual(fleet.nodes.length);
          // A voter leaves without an heir only when the roster or the wanted number says so, or as a witness.
          const onRoster = (nodeId: string) => fleet.nodes.find((node) => node.name === nodeId);
          const left = change.steps.filter(({ kind, node }) => kind === "remove" && onRoster(node)?.part === "full");
          if (seated > fleet.voters.length && left.length > 0 && change.because.includes("is gone, and"))
            throw new Error(`${textOf(change)} shrinks the votes`);
        }
        return stepsMax;
      };
      for (const one of turns) {
        turn(fleet, one.turn);
        advance(one.steps);
      }
      expect(advance(60)).toBeLessThan(60);
    }),
    { numRuns: 3_000 },
  );
});

test("when every box is there the fleet ends as it should be, whatever happened before", () => {
  fc.assert(
    fc.property(anyTurns, fc.integer({ min: 1, max: 7 }), (turns, votersMax) => {
      const fleet = new FleetModel("a");
      for (const one of turns) {
        turn(fleet, one.turn);
        for (let n = 0; n < one.steps && leads(fleet); n++) {
          const change = fleet.next();
          if (change) fleet.take(change);
        }
      }
      for (const node of fleet.nodes) fleet.set(node.name, "fresh");
      fleet.behind.clear();
      fleet.votersMax = votersMax;
      for (const node of fleet.removed) node.presence = "fresh";
      fleet.settle();
      const full = fleet.nodes.filter((node) => node.part === "full").length;
      const hasWitness = fleet.nodes.some((node) => node.part === "witness");
      const votes = fleet.voters.filter((nodeId) => !"vw".includes(nodeId)).length;
      expect(fleet.voters.every((nodeId) => fleet.nodes.some((node) => node.name === nodeId))).toBe(true);
      expect(votes).toBeLessThanOrEqual(votersMax);
      expect(votes).toBeGreaterThanOrEqual(Math.min(full, votersMax) - 1);
      if (full >= 2 && votersMax >= 2 && hasWitness) expect(fleet.voters.length % 2).toBe(1);
      if (votersMax % 2 === 1 && full >= votersMax) expect(votes).toBe(votersMax);
      expect(fleet.learners.length).toBeLessThanOrEqual(votersMax - votes);
    }),
    { numRuns: 3_000 },
  );
});

test("a box that comes and goes within the patience for the gone moves nothing", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 8 }),
      fc.boolean(),
      anyName,
      fc.array(fc.constantFrom(...PRESENCES)),
      (size, hasWitness, name, visits) => {
        const fleet = new FleetModel("a", FULL.slice(1, size), hasWitness ? "w" : "");
        fleet.settle();
        const story = fleet.story();
        if (name === "a" || !fleet.nodes.some((node) => node.name === name)) return;
        // A learner that is away leaves its seat to whoever is there; a voter and a worker move nothing.
        if (fleet.learners.includes(id(name))) return;
        for (const presence of visits)
          expect(fleet.set(name, presence, presence === "fresh" ? 0 : 1).settle()).toEqual([]);
        expect(fleet.story()).toBe(story);
      },
    ),
  );
});
