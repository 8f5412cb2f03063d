import type { BlobHash } from "../../../shared/ids.ts";
import { decodeManifest } from "../../../shared/wire/ledger-snapshot.ts";
import type { SimFleet } from "./sim-fleet.ts";
import { type SimNode, sha256 } from "./sim-node.ts";

/** Between two faults. */
const CALM_MS: [number, number] = [200, 3_000];

/** One thing that goes wrong. Never takes a majority down for good: what is down comes back within the storm or the healing. */
type Fault = (fleet: SimFleet, node: SimNode) => Promise<void> | void;

const FAULTS: { name: string; weight: number; act: Fault }[] = [
  { name: "crash", weight: 4, act: (_, node) => node.crash() },
  { name: "restart", weight: 8, act: async (_, node) => (node.isUp ? undefined : node.start()) },
  { name: "crash the leader", weight: 3, act: (fleet) => fleet.leader?.crash() },
  { name: "cut off", weight: 2, act: (fleet, node) => cutOff(fleet, node) },
  { name: "cut one way", weight: 1, act: (fleet, node) => cutOneWay(fleet, node) },
  { name: "freeze", weight: 2, act: (fleet, node) => freeze(fleet, node) },
  { name: "mend and thaw", weight: 8, act: (fleet) => fleet.mend() },
  { name: "lose messages", weight: 1, act: (fleet) => fleet.net.setLoss(0.2 * fleet.random.random()) },
  { name: "slow the network", weight: 1, act: (fleet) => fleet.net.setDelay(5, 5 + 100 * fleet.random.random()) },
  { name: "stall a disk", weight: 1, act: (_, node) => stall(node, true) },
  { name: "free a disk", weight: 4, act: (_, node) => stall(node, false) },
  { name: "fill a disk", weight: 1, act: (_, node) => fill(node, true) },
  { name: "empty a disk", weight: 4, act: (_, node) => fill(node, false) },
  { name: "break an executor", weight: 2, act: (fleet, node) => breakExecutor(fleet, node) },
  { name: "rot an input", weight: 1, act: (fleet, node) => rot(fleet, node) },
  { name: "rot a snapshot", weight: 2, act: (fleet) => rotSnapshot(fleet) },
];

const cutOff: Fault = (fleet, node) => {
  for (const other of fleet.nodes) if (other !== node) fleet.net.cut(node.nodeId, other.nodeId);
};
const cutOneWay: Fault = (fleet, node) => {
  for (const other of fleet.nodes) if (other !== node) fleet.net.cutOneWay(node.nodeId, other.nodeId);
};
const freeze: Fault = (fleet, node) => {
  cutOff(fleet, node);
  node.freeze();
};
const stall = (node: SimNode, isStalled: boolean): void => {
  node.journal.isStalled = isStalled;
};
const fill = (node: SimNode, isFull: boolean): void => {
  node.journal.isFull = isFull;
};

const breakExecutor: Fault = (fleet, node) => {
  fleet.checks.executorsBroken++;
  node.engine?.crashNext();
};

/** Only an input, and only where another holder has a good copy: a disk that rots every copy at once is past any promise. */
const rot: Fault = (fleet, node) => {
  const inputs = fleet.jobs.flatMap((job) => job.inputs.map((input) => input.blob));
  const mine = inputs.find((blob) => node.blobs.held().has(blob));
  if (mine && fleet.nodes.some((other) => other !== node && holdsSound(other, mine))) node.blobs.rot(mine);
};
const holdsSound = (node: SimNode, blob: BlobHash): boolean => {
  const bytes = node.blobs.held().get(blob);
  return bytes !== undefined && sha256(bytes) === blob;
};

/**
 * One box's and no other's, and only of what another knows by itself: where no box can read its snapshot, nobody knows
 * what the log begins with, and of two boxes with a witness one may be alone in knowing.
 */
const rotSnapshot = ({ nodes }: SimFleet): void => {
  const [node, ...others] = nodes as [SimNode, ...SimNode[]];
  const snapshot = node.journal.durableSnapshot();
  const knows = ({ part, agent }: SimNode, index: number): boolean =>
    part === "full" && agent !== undefined && agent.ledger.appliedIndex >= index;
  if (!snapshot || !others.some((other) => knows(other, snapshot.index))) return;
  for (const { hash } of decodeManifest(snapshot.data)) if (node.blobs.held().has(hash)) node.blobs.rot(hash);
};

/** Each fault as often as it weighs. */
const DARTBOARD = FAULTS.flatMap((fault) => Array.from({ length: fault.weight }, () => fault));

/** Weeks of bad luck in a minute: faults and jobs by the fleet's own chance, then healing, after which everything must end. */
export async function storm(fleet: SimFleet, faults: number, happened: string[]): Promise<void> {
  const draw = (below: number): number => Math.floor(below * fleet.random.random());
  for (let i = 0; i < faults; i++) {
    await fleet.run(CALM_MS[0] + draw(CALM_MS[1] - CALM_MS[0]));
    if (i % 2 === 0) await fleet.submit(fleet.nodes[draw(fleet.nodes.length)]!, 1 + draw(30));
    const fault = DARTBOARD[draw(DARTBOARD.length)]!;
    const node = fleet.nodes[draw(fleet.nodes.length)]!;
    happened.push(`${Math.round(fleet.clock.monotonicMs())} ${fault.name} ${node.name}`);
    await fault.act(fleet, node);
  }
  await fleet.heal();
}
