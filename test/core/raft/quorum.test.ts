/** The quorum arithmetic against a plain, slow form of the same sentence, and membership changes on random walks. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { confFault } from "../../../agent/core/raft/confchange.ts";
import {
  type ConfChangeStep,
  changeConf,
  committedIndex,
  EMPTY_CONF,
  isJoint,
  isVoter,
  isWitness,
  membersOf,
  voteResult,
  votersOf,
} from "../../../agent/core/raft/index.ts";
import { addLearner, addVoter, addWitness, idOf, remove } from "./cluster.ts";

const ids = fc.uniqueArray(fc.constantFrom("a", "b", "c", "d", "e", "f", "g"));
const halves = fc.record({ voters: ids, votersOutgoing: ids });
const acks = fc.dictionary(fc.constantFrom("a", "b", "c", "d", "e", "f", "g"), fc.nat(9));
const votes = fc.dictionary(fc.constantFrom("a", "b", "c", "d", "e", "f", "g"), fc.boolean());

const majorityHolds = (voters: string[], holds: (id: string) => boolean): boolean =>
  voters.length === 0 || 2 * voters.filter(holds).length > voters.length;

describe("the committed index", () => {
  test("is the largest that a majority of each half has acknowledged", () => {
    fc.assert(
      fc.property(halves, acks, (conf, acked) => {
        const held = (index: number): boolean =>
          [conf.voters, conf.votersOutgoing].every((half) => majorityHolds(half, (id) => (acked[id] ?? 0) >= index));
        const index = committedIndex(conf, (id) => acked[id] ?? 0);
        if (conf.voters.length === 0 && conf.votersOutgoing.length === 0) expect(index).toBe(Number.POSITIVE_INFINITY);
        else expect([held(index), held(index + 1)]).toEqual([true, false]);
      }),
    );
  });

  test("does not depend on the order of the voters or of the halves", () => {
    fc.assert(
      fc.property(halves, acks, ({ voters, votersOutgoing }, acked) => {
        const of = (conf: { voters: string[]; votersOutgoing: string[] }): number =>
          committedIndex(conf, (id) => acked[id] ?? 0);
        const turned = { voters: [...votersOutgoing].reverse(), votersOutgoing: [...voters].reverse() };
        expect(of(turned)).toBe(of({ voters, votersOutgoing }));
      }),
    );
  });
});

test("a vote is won when each half is won, lost when one half cannot be won any more, and pending otherwise", () => {
  fc.assert(
    fc.property(halves, votes, (conf, given) => {
      const each = [conf.voters, conf.votersOutgoing];
      const won = each.every((half) => majorityHolds(half, (id) => given[id] === true));
      const winnable = each.every((half) => majorityHolds(half, (id) => given[id] !== false));
      expect(voteResult(conf, (id) => given[id])).toBe(won ? "won" : winnable ? "pending" : "lost");
    }),
  );
});

const step: fc.Arbitrary<ConfChangeStep> = fc.record({
  kind: fc.constantFrom("addVoter" as const, "addLearner" as const, "addWitness" as const, "remove" as const),
  node: fc.integer({ min: 1, max: 6 }).map(idOf),
});
const change = fc.record({
  steps: fc.array(step, { maxLength: 4 }),
  transition: fc.constantFrom("auto" as const, "implicit" as const, "explicit" as const),
});

describe("membership on a random walk", () => {
  const walk = (
    changes: Parameters<typeof changeConf>[1][],
    visit: (from: typeof EMPTY_CONF, to: typeof EMPTY_CONF) => void,
  ): void => {
    let conf = { ...EMPTY_CONF, voters: [idOf(1)] };
    for (const next of changes) {
      const outcome = changeConf(conf, next);
      if (!("conf" in outcome)) continue;
      visit(conf, outcome.conf);
      conf = outcome.conf;
    }
  };

  test("is always one that can be, and a majority before always meets a majority after", () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
        walk(changes, (from, to) => {
          expect(confFault(to)).toBeUndefined();
          // Whoever was a member as one thing is never the other: its log has the data, or it has not.
          for (const id of membersOf(from)) if (isVoter(to, id)) expect(isWitness(to, id)).toBe(isWitness(from, id));
          const all = votersOf({ ...from, votersOutgoing: [...new Set([...votersOf(from), ...votersOf(to)])] });
          // Two disjoint groups of which one decides before and the other after: there must be none.
          for (let mask = 0; mask < 1 << all.length; mask += 1) {
            const group = (id: string): boolean => (mask & (1 << all.indexOf(id as never))) !== 0;
            const before = voteResult(from, (id) => group(id)) === "won";
            const after = voteResult(to, (id) => !group(id)) === "won";
            expect(before && after).toBe(false);
          }
        });
      }),
    );
  });

  test("names each member once and is joint in both halves or in none", () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
        walk(changes, (_from, to) => {
          expect(new Set(membersOf(to)).size).toBe(membersOf(to).length);
          if (!isJoint(to)) expect([to.learnersNext, to.autoLeave]).toEqual([[], false]);
        });
      }),
    );
  });
});

describe("a witness", () => {
  const fleet = { ...EMPTY_CONF, voters: [idOf(1), idOf(2)] };
  const changed = (conf: typeof EMPTY_CONF, ...steps: ConfChangeStep[]): unknown =>
    changeConf(conf, { steps, transition: "auto" });
  const guarded = { ...EMPTY_CONF, voters: [idOf(1), idOf(2), idOf(3)], witnesses: [idOf(3)] };

  test("is a new voter, and gone when it is removed", () => {
    expect(changed(fleet, addWitness(3))).toEqual({ conf: guarded });
    expect(changed(guarded, remove(3))).toEqual({ conf: fleet });
  });

  test("stays in the old half until the joint configuration is left", () => {
    const joint = changeConf(guarded, { steps: [remove(3), addVoter(4)], transition: "explicit" });
    expect(joint).toMatchObject({ conf: { voters: [1, 2, 4].map(idOf), witnesses: [idOf(3)] } });
    if ("invalid" in joint) throw new Error(joint.invalid);
    expect(changed(joint.conf)).toMatchObject({ conf: { voters: [1, 2, 4].map(idOf), witnesses: [] } });
  });

  test.each([
    ["made of a voter", fleet, [addWitness(2)], "a member can't become a witness"],
    [
      "made of a voter that goes in the same change",
      fleet,
      [remove(2), addWitness(2)],
      "a member can't become a witness",
    ],
    ["promoted", guarded, [addVoter(3)], "a witness can only be removed"],
    ["demoted", guarded, [addLearner(3)], "a witness can only be removed"],
    ["promoted in the change that removes it", guarded, [remove(3), addVoter(3)], "a witness can only be removed"],
    ["given a second", guarded, [addWitness(4)], "more than one witness"],
    ["left alone", { ...guarded, voters: [idOf(1), idOf(3)] }, [remove(1)], "nobody but a witness votes"],
  ] as [string, typeof EMPTY_CONF, ConfChangeStep[], string][])("is never %s", (_, conf, steps, invalid) => {
    expect(changed(conf, ...steps)).toEqual({ invalid });
  });
});
