import { TIMING } from "../../../shared/limits.ts";
import type { AgentInit } from "../agent-init.ts";
import { CopiesLoop } from "../copies-loop.ts";
import { Retention } from "../retention.ts";
import { Scrub } from "../scrub.ts";
import { SNAPSHOT_LIMITS } from "../snapshot-taking.ts";
import { Snapshots } from "../snapshots.ts";
import { Sweep } from "../sweep.ts";
import { WitnessLog } from "../witness-log.ts";
import type { BoxParts } from "./box.ts";
import type { ConsensusParts } from "./consensus.ts";
import type { Ground } from "./ground.ts";
import type { Parts } from "./parts.ts";
import type { WorkParts } from "./work.ts";

/** What keeps that which was agreed and stored: whole, in copies enough, and no longer than it is wanted. */
export interface UpkeepParts {
  snapshots: Pick<Snapshots, keyof Snapshots>;
  copies: CopiesLoop;
  retention: Retention;
  sweep: Sweep;
  scrub: Scrub;
}

type Known = Ground & ConsensusParts & BoxParts & WorkParts;

export function upkeepParts(known: Known, init: AgentInit, later: () => Parts): UpkeepParts {
  const { world, spare, events, peers, ledger, proposer, reader, standing, outlook, worker } = known;
  const { nodes, places, reachable } = outlook;
  const snapshots = init.part === "witness" ? witnessLog(known, init, later) : ownSnapshots(known, init, later);
  return {
    snapshots,
    copies: new CopiesLoop(world, { ledger, peers, proposer, events, places, nodes }),
    retention: new Retention(world, { ledger, peers, proposer, events, reachable }),
    sweep: new Sweep(world, {
      ...{ spare, ledger, peers, proposer, reader, events, standing, places },
      isClaimed: (hash) => snapshots.isClaimed(hash) || later().keeper.isClaimed(hash),
      sweepMs: init.sweepMs ?? TIMING.sweepMs,
    }),
    scrub: new Scrub(world, { spare, peers, proposer, events, itemsQueued: () => worker.itemsQueued }),
  };
}

function ownSnapshots(known: Known, { snapshotLimits, onFatal }: AgentInit, later: () => Parts): Snapshots {
  const { world, driver, ledger, peers, events, blobAccess, outlook } = known;
  return new Snapshots(world, {
    ...{ driver, ledger, peers, events, blobAccess },
    limits: snapshotLimits ?? {},
    reachable: outlook.reachable,
    apply: (entry) => later().following.apply(entry),
    onRestored: (index, before) => later().following.restored(index, before),
    onFatal,
  });
}

function witnessLog({ world, driver }: Known, { snapshotLimits, onFatal }: AgentInit, later: () => Parts): WitnessLog {
  return new WitnessLog(world, {
    driver,
    ...SNAPSHOT_LIMITS,
    ...snapshotLimits,
    apply: (entry) => later().following.apply(entry),
    onRestored: (index) => later().following.restored(index, new Map()),
    onFatal,
  });
}
