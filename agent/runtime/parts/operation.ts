import type { AgentInit } from "../agent-init.ts";
import { Departure } from "../departure.ts";
import { Deputy } from "../deputy.ts";
import { Drills } from "../drill/drills.ts";
import { Handover } from "../handover.ts";
import { LedgerFace } from "../ledger-face.ts";
import { Membership } from "../membership.ts";
import { Recovery } from "../recovery.ts";
import { RuleBook } from "../rule-book.ts";
import type { BoxParts } from "./box.ts";
import type { ConsensusParts } from "./consensus.ts";
import type { Ground } from "./ground.ts";
import type { OwnMatters } from "./parts.ts";

/** What people do with a fleet and its boxes, and who answers what they ask of the ledger. */
export interface OperationParts {
  membership: Membership;
  handover: Handover;
  departure: Departure;
  recovery: Recovery;
  drills: Drills;
  deputy: Deputy;
}

export function operationParts(
  known: Ground & ConsensusParts & BoxParts,
  init: AgentInit,
  { loaded, submit }: OwnMatters,
): OperationParts {
  const { world, events, peers, ledger, driver, standing, outlook, proposer, settings, blobAccess, pipelines } = known;
  const { identity, onLeft, onStopRequested: requestStop } = init;
  const { nodes, places, reachable } = outlook;
  const { fleetId, fleetName } = identity;
  const membership = new Membership(world, identity, { driver, ledger, proposer, events, standing, nodes });
  const handover = new Handover(world, { driver, ledger, peers, events });
  const departure = new Departure(world, {
    ...{ ledger, driver, standing, peers, proposer, events, handover, nodes, fleetName, onLeft, requestStop },
    copiesOwed: (node) => deputy.call("copiesOwed", node),
  });
  const recovery = new Recovery(world, { driver, ledger, peers, nodes, fleetName });
  const rehearsed = { ledger, standing, proposer, peers, events, blobAccess, handover, nodes, submit };
  const drills = new Drills(world, rehearsed, () => deputy);
  const ruleBook = new RuleBook({ ledger, proposer, nodes });
  const own = new LedgerFace(world, {
    ...{ fleetId, ledger, proposer, peers, blobAccess, membership, settings, ruleBook, departure, handover, drills },
    ...{ pipelines, places, nodes, reachable },
    leader: () => standing.leader(),
  });
  const deputy: Deputy = new Deputy(world, peers, {
    loaded,
    holdsLedger: () => standing.holdsLedger,
    members: () => standing.members(),
    own,
  });
  return { membership, handover, departure, recovery, drills, deputy };
}
