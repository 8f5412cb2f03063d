import type { AgentInit } from "../agent-init.ts";
import { answerVerifications } from "../checking.ts";
import { FleetFitting } from "../fitting.ts";
import { Bench } from "../models/bench.ts";
import { Online } from "../online.ts";
import { WorkerDriver } from "../worker-driver.ts";
import { ruledOut, rulesOf } from "../workers.ts";
import type { BoxParts } from "./box.ts";
import type { ConsensusParts } from "./consensus.ts";
import type { Ground } from "./ground.ts";

/** What runs here, for jobs and for whoever waits, and how quick it is found to be. */
export interface WorkParts {
  worker: WorkerDriver;
  bench: Bench;
  online: Online;
  fitting: FleetFitting;
}

export function workParts(known: Ground & ConsensusParts & BoxParts, init: AgentInit): WorkParts {
  const { world, engine, events, peers, ledger, driver, standing, outlook, blobAccess, gossip, pipelines } = known;
  const onChange = (): void => gossip.changed();
  const worker: WorkerDriver = new WorkerDriver(world, {
    fleetId: init.identity.fleetId,
    ...{ blobAccess, peers, events, pipelines },
    holdersOf: (blob) => (standing.holdsLedger ? ledger.holdersOf(blob) : []),
    leader: () => standing.leader(),
    // Of a seat that was lost, no leader need ever hear the term.
    term: () => (standing.holdsLedger ? driver.status().term : 0),
    doubtLeader: () => standing.doubtLeader(),
    isRecorded: ({ jobId, item, node, shardId, finishedAtMs }) => {
      const recorded = ledger.jobs.get(jobId)?.results[item];
      return recorded?.node === node && recorded.shardId === shardId && recorded.finishedAtMs === finishedAtMs;
    },
    places: outlook.places,
    onRateChange: onChange,
    guess: (pipeline) => bench.guess(pipeline),
  });
  const itemsQueued = (): number => worker.itemsQueued;
  const { nodes } = outlook;
  const bench = new Bench(world, { hardware: init.probed.facts, engine, events, itemsQueued, nodes, onChange });
  const { signer, segments } = worker;
  answerVerifications(world, { peers, blobAccess, signer, ready: (pipeline) => segments.ready(pipeline) });
  const online = new Online(world, {
    peers,
    nodes,
    ownRate: (pipeline) => worker.rates.all().find((rate) => rate.pipeline === pipeline)?.itemsPerSecond,
    ready: (pipeline) => segments.ready(pipeline),
    ownQueue: itemsQueued,
    keptFrom: (pipeline, node) =>
      ruledOut(pipeline, node, { rules: rulesOf(ledger.planning), nowMs: world.clock.nowMs() }),
  });
  return { worker, bench, online, fitting: new FleetFitting(world, peers, nodes) };
}
