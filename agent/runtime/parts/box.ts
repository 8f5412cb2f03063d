import { Fleet } from "../../core/fleet/index.ts";
import type { AgentInit } from "../agent-init.ts";
import { BlobAccess } from "../blob-access.ts";
import { Box } from "../box.ts";
import { GossipLoop } from "../gossip-loop.ts";
import { LinkSpeeds } from "../link-speeds.ts";
import { linkFigures } from "../views.ts";
import type { ConsensusParts } from "./consensus.ts";
import type { Ground } from "./ground.ts";
import type { Parts } from "./parts.ts";

/** What this box is, what it tells of itself and hears of others, and how bytes come to it. */
export interface BoxParts {
  speeds: LinkSpeeds;
  box: Box;
  blobAccess: BlobAccess;
  gossip: GossipLoop;
}

export function boxParts(known: Ground & ConsensusParts, init: AgentInit, later: () => Parts): BoxParts {
  const { world, events, peers, standing, outlook } = known;
  const itemsQueued = (): number => later().worker.itemsQueued;
  const onChange = (): void => gossip.changed();
  const nodes = (): number => standing.roster().length;
  const speeds = new LinkSpeeds(world, { peers, itemsQueued, nodes, onChange });
  const box = new Box(world, {
    probed: init.probed,
    events,
    itemsQueued,
    links: () => linkFigures(outlook.nodes(), (nodeId) => speeds.of(nodeId)),
    onChange,
  });
  const blobAccess = new BlobAccess(world, peers, events, outlook.reachable, (from, chunks) =>
    speeds.metered(from, chunks),
  );
  const { name, agentVersion, apiUrl } = init;
  const figures = {
    ...{ name, agentVersion, apiUrl, itemsQueued },
    executors: world.engine.executors,
    hardware: () => box.facts(),
    vitals: () => box.vitals(),
    links: () => speeds.links(),
    rates: () => later().worker.rates.all(),
    profiles: () => later().bench.profiles(),
    models: () => later().keeper.models(),
    stageTimes: () => later().worker.stageTimes.all(),
  };
  const fleet = new Fleet({ self: world.network.self });
  const gossip: GossipLoop = new GossipLoop(
    world,
    fleet,
    figures,
    (effects, event) => later().fleetMoves.fleetChanged(effects, event),
    init.readReport,
  );
  return { speeds, box, blobAccess, gossip };
}
