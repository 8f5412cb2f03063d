import type { AgentInit } from "../agent-init.ts";
import { FleetMoves } from "../fleet-moves.ts";
import { Leadership } from "../leadership.ts";
import { LogFollowing } from "../log-following.ts";
import type { BoxParts } from "./box.ts";
import type { ConsensusParts } from "./consensus.ts";
import type { Ground } from "./ground.ts";
import type { ModelParts } from "./models.ts";
import type { UpkeepParts } from "./upkeep.ts";
import type { WorkParts } from "./work.ts";

/** How the parts move one another: by what the log agreed on, by who leads, by who is there. */
export interface MovingParts {
  leadership: Leadership;
  fleetMoves: FleetMoves;
  following: LogFollowing;
}

export function movingParts(
  known: Ground & ConsensusParts & BoxParts & WorkParts & UpkeepParts & ModelParts,
  { identity, name, founder, onFatal }: AgentInit,
): MovingParts {
  const { world, events, news, peers, ledger, driver, standing, outlook, proposer, reader, pipelines } = known;
  const { gossip, speeds, worker, copies, retention, sweep, placement, keeper } = known;
  const leadership = new Leadership(world, {
    ...{
      ledger,
      proposer,
      peers,
      events,
      pipelines,
      standing,
      inHand: worker.inHand,
      nodes: outlook.nodes,
      copies,
      placement,
      retention,
      onFatal,
    },
    ...(founder && { founding: { identity, name } }),
  });
  const fleetMoves = new FleetMoves(world, {
    ...{ standing, driver, proposer, reader, events, gossip, speeds, worker, leadership },
  });
  const following = new LogFollowing({
    ...{ ledger, driver, proposer, reader, standing, events, news, leadership, fleetMoves, sweep, keeper },
  });
  return { leadership, fleetMoves, following };
}
