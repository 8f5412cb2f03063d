import type { AgentInit } from "../agent-init.ts";
import { ModelKeeper } from "../models/keeper.ts";
import { ModelRegistry } from "../models/registry.ts";
import { PlacementLoop } from "../placement-loop.ts";
import type { BoxParts } from "./box.ts";
import type { ConsensusParts } from "./consensus.ts";
import type { Ground } from "./ground.ts";
import type { OperationParts } from "./operation.ts";
import type { WorkParts } from "./work.ts";

/** How models come into the fleet, where they shall stand, and that they do. */
export interface ModelParts {
  registry: ModelRegistry;
  placement: PlacementLoop;
  keeper: ModelKeeper;
}

export function modelParts(
  known: Ground & ConsensusParts & BoxParts & WorkParts & OperationParts,
  init: AgentInit,
): ModelParts {
  const { world, events, peers, ledger, outlook, proposer, blobAccess, gossip, worker, bench, deputy, pipelines } =
    known;
  const { nodes, places, noQuorum } = outlook;
  const room = { name: init.name, memoryUsableBytes: init.probed.facts.memoryUsableBytes };
  const registry = new ModelRegistry(world, {
    ...{ ledger, peers, proposer, events, blobAccess, deputy, places, noQuorum, room },
  });
  const keeper = new ModelKeeper(world, {
    blobAccess,
    events,
    wanted: (mark) => deputy.call("modelsFor", world.network.self, mark),
    profiles: () => bench.profiles(),
    isInHand: (digest) => registry.inHand.has(digest),
    holds: (pipeline) => worker.holds(pipeline),
    measure: (pipeline) => worker.rates.calibrateOne(pipeline),
    withhold: (pipeline, isWithheld) => worker.rates.withhold(pipeline, isWithheld),
    forget: (pipeline) => worker.rates.forget(pipeline),
    onChange: () => gossip.changed(),
  });
  return { registry, keeper, placement: new PlacementLoop(world, { ledger, proposer, events, pipelines, nodes }) };
}
