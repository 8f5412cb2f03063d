import type { Ledger } from "../../../agent/core/ledger/index.ts";
import { membersOf } from "../../../agent/core/raft/index.ts";
import type { BlobHash } from "../../../shared/ids.ts";
import { decodeManifest } from "../../../shared/wire/ledger-snapshot.ts";
import type { SimFleet } from "./sim-fleet.ts";
import type { SimNode } from "./sim-node.ts";

/** Between two faults. */
const CALM_MS: [number, number] = [200, 3_000];

/** One thing that goes wrong. Never takes a majority down for good: what is down comes back within the storm or the healing. */
type Fault = (fleet: SimFleet, node: SimNode) => Promise<void> | void;

const FAULTS: { name: string; weight: number; act: Fault }[] = [
  { name: "crash", weight: 4, act: (_, node) => node.crash() },
  { name: "restart", weight: 8, act: async (_, node) => (node.isUp ? undefined : node.start()) },
  { name: "crash the leader", weight: 3, act: (fleet) => fleet.leader?.crash() },
  { name: "lose power", weight: 1, act: (fleet, node) => losePower(fleet, node) },
  { name: "cut off", weight: 2, act: (fleet, node) => cutOff(fleet, node) },
  { name: "cut one way", weight: 1, act: (fleet, node) => cutOneWay(fleet, node) },
  { name: "split", weight: 1, act: (fleet, node) => split(fleet, node) },
  { name: "freeze", weight: 2, act: (fleet, node) => freeze(fleet, node) },
  { name: "freeze the leader", weight: 1, act: (fleet) => (fleet.leader ? freeze(fleet, fleet.leader) : undefined) },
  { name: "mend and thaw", weight: 8, act: (fleet) => fleet.mend() },
  { name: "slow a box", weight: 2, act: (_, node) => node.slow(10) },
  { name: "speed a box up", weight: 4, act: (_, node) => node.slow(1) },
  { name: "lose messages", weight: 1, act: (fleet) => fleet.net.setLoss(0.2 * fleet.random.random()) },
  { name: "lose no messages", weight: 1, act: (fleet) => fleet.net.setLoss(0) },
  { name: "slow the network", weight: 1, act: (fleet) => fleet.net.setDelay(5, 5 + 100 * fleet.random.random()) },
  { name: "speed the network up", weight: 1, act: (fleet) => fleet.net.setDelay(1, 3) },
  { name: "stall a disk", weight: 1, act: (_, node) => stall(node, true) },
  { name: "free a disk", weight: 4, act: (_, node) => stall(node, false) },
  { name: "fill a disk", weight: 1, act: (_, node) => fill(node, true) },
  { name: "empty a disk", weight: 4, act: (_, node) => fill(node, false) },
  { name: "break an executor", weight: 2, act: (fleet, node) => breakExecutor(fleet, node) },
  { name: "hang an executor", weight: 1, act: (fleet, node) => hangExecutor(fleet, node) },
  { name: "rot an input", weight: 1, act: (fleet, node) => rotInput(fleet, node) },
  { name: "rot a result", weight: 1, act: (fleet, node) => rotResult(fleet, node) },
  { name: "rot a snapshot", weight: 2, act: (fleet) => rotSnapshot(fleet) },
  { name: "wipe a worker", weight: 1, act: (fleet, node) => wipe(fleet, node) },
];

const cutOff: Fault = (fleet, node) => {
  for (const other of fleet.nodes) if (other !== node) fleet.net.cut(node.nodeId, other.nodeId);
};
const cutOneWay: Fault = (fleet, node) => {
  for (const other of fleet.nodes) if (other !== node) fleet.net.cutOneWay(node.nodeId, other.nodeId);
};
const split: Fault = (fleet) => {
  const ids = fleet.nodes.map(({ nodeId }) => nodeId);
  const isLeft = ids.map(() => fleet.random.random() < 0.5);
  fleet.net.partition(
    ids.filter((_, i) => isLeft[i]),
    ids.filter((_, i) => !isLeft[i]),
  );
};
const freeze: Fault = (fleet, node) => {
  cutOff(fleet, node);
  node.freeze();
};
/** Nobody is told: its peers wait until they miss its heartbeats. */
const losePower: Fault = (fleet, node) => {
  cutOff(fleet, node);
  node.crash();
};
const stall = (node: SimNode, isStalled: boolean): void => {
  node.journal.isStalled = isStalled;
};
const FULL_BYTES = 1e6;
/** Of its journal, and room for blobs only down to a little: they refuse what does not fit. */
const fill = (node: SimNode, isFull: boolean): void => {
  node.journal.isFull = isFull;
  node.blobs.capacityBytes = isFull ? node.blobs.usedBytes + FULL_BYTES : Number.POSITIVE_INFINITY;
};

const breakExecutor: Fault = (fleet, node) => {
  fleet.checks.executorsBroken++;
  node.engine?.crashNext();
};
const hangExecutor: Fault = (fleet, node) => {
  fleet.checks.executorsBroken++;
  node.engine?.hangNext();
};

/** Only where another box has a good copy: disks that rot every copy at once are past any promise. */
const rot = (fleet: SimFleet, node: SimNode, blobs: readonly BlobHash[]): void => {
  const mine = blobs.filter((blob) => node.blobs.holdsSound(blob) && isElsewhere(fleet, node, blob));
  const blob = mine[Math.floor(mine.length * fleet.random.random())];
  if (blob !== undefined) node.blobs.rot(blob);
};
const isElsewhere = (fleet: SimFleet, node: SimNode, blob: BlobHash): boolean => {
  const holders = newestLedger(fleet)?.holdersOf(blob) ?? [];
  return fleet.nodes.some((one) => one !== node && holders.includes(one.nodeId) && one.blobs.holdsSound(blob));
};
const newestLedger = (fleet: SimFleet): Ledger | undefined =>
  fleet.nodes
    .flatMap(({ agent }) => (agent ? [agent.ledger] : []))
    .sort((a, b) => b.appliedIndex - a.appliedIndex)
    .at(0);

/** Of jobs that rot can still trouble. */
const JOBS_ROTTING = 20;
const jobsOf = (fleet: SimFleet) => [...(newestLedger(fleet)?.jobs.values() ?? [])].slice(-JOBS_ROTTING);
const rotInput: Fault = (fleet, node) =>
  rot(
    fleet,
    node,
    jobsOf(fleet).flatMap((job) => job.inputs.map((input) => input.blob)),
  );
const rotResult: Fault = (fleet, node) =>
  rot(
    fleet,
    node,
    jobsOf(fleet).flatMap((job) => job.results.flatMap((result) => result?.output ?? [])),
  );

/** A box without the log whose disk is replaced. Only if all that it holds is elsewhere too: copies it alone had would be lost with any disk. */
const wipe: Fault = async (fleet, node) => {
  const conf = fleet.leader?.agent?.raftStatus().conf;
  if (!conf || membersOf(conf).includes(node.nodeId) || node.part === "witness") return;
  const named = newestLedger(fleet)!.holders;
  const needed = [...node.blobs.held().keys()].filter((blob) => named.has(blob));
  if (!needed.every((blob) => isElsewhere(fleet, node, blob))) return;
  node.crash();
  node.blobs.wipe();
  node.notes.wipe();
  await node.start();
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
/** Of a fleet of so many boxes one fault at a time is a storm; of more, as many more at once. */
const NODES_PER_FAULT = 5;

/** Weeks of bad luck in a minute, by the fleet's own chance, then healing, after which everything must end. */
export async function storm(fleet: SimFleet, faults: number, happened: string[]): Promise<void> {
  const draw = (below: number): number => Math.floor(below * fleet.random.random());
  const atOnce = Math.ceil(fleet.nodes.length / NODES_PER_FAULT);
  for (let i = 0; i < faults; i++) {
    if (i % atOnce === 0) await fleet.run(CALM_MS[0] + draw(CALM_MS[1] - CALM_MS[0]));
    const fault = DARTBOARD[draw(DARTBOARD.length)]!;
    const node = fleet.nodes[draw(fleet.nodes.length)]!;
    happened.push(`${Math.round(fleet.clock.monotonicMs())} ${fault.name} ${node.name}`);
    await fault.act(fleet, node);
  }
  await fleet.heal();
}
