import { expect, test } from "vitest";
import { Peers } from "../../../agent/runtime/peers.ts";
import { Proposer } from "../../../agent/runtime/proposer.ts";
import type { RaftDriver } from "../../../agent/runtime/raft-driver.ts";
import type { Surroundings } from "../../../agent/runtime/surroundings.ts";
import type { LedgerEntry } from "../../../shared/ledger-entry.ts";
import { A } from "../../support/nouns.ts";
import { PretendNet } from "../../support/pretend-network.ts";
import { seededRandomness, VirtualClock } from "../../support/virtual-clock.ts";

test("whoever waits for an entry that a snapshot took the place of offers it again, and is answered", async () => {
  const clock = new VirtualClock();
  const network = new PretendNet(clock, seededRandomness(1)).join(A);
  let offered = 0;
  const driver = {
    status: () => ({ leader: A }),
    raft: { propose: () => ({ accepted: true, index: 10 * ++offered, term: 3 }) },
    after: () => {},
  } as unknown as RaftDriver;
  const world = { clock, network } as unknown as Surroundings;
  const proposer = new Proposer(driver, new Peers(network), world, {
    noQuorum: () => undefined,
    holdsLedger: () => true,
    members: () => [],
  });
  const entry: LedgerEntry = { kind: "nodeRemoved", nodeId: A };
  let answer: unknown;
  const asking = proposer.propose(entry).then((outcome) => {
    answer = outcome;
  });
  await clock.runUntil(50);
  expect(offered).toBe(1);
  // Short of it: it may still come.
  proposer.skippedTo(9);
  await clock.runUntil(500);
  expect(offered).toBe(1);
  proposer.skippedTo(10);
  await clock.runUntil(1_000);
  expect(offered).toBe(2);
  const outcome = { applied: true as const, events: [] };
  proposer.applied(20, 3, outcome);
  await clock.runUntil(1_100);
  await asking;
  expect(answer).toEqual(outcome);
});
