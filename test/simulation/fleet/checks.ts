import type { Ledger } from "../../../agent/core/ledger/index.ts";
import { type ErrorCode, invariant } from "../../../shared/errors.ts";
import type { BlobHash, JobId, NodeId } from "../../../shared/ids.ts";
import type { RecordedResult } from "../../../shared/job.ts";
import type { SnapshotPiece } from "../../../shared/ledger-snapshot.ts";
import { decodeManifest } from "../../../shared/wire/ledger-snapshot.ts";
import type { SimNode } from "./sim-node.ts";

/** What is recorded of an item that ended executors: on a box that died meanwhile, or twice. */
const BROKEN: readonly ErrorCode[] = ["EXECUTOR_DIED", "ITEM_QUARANTINED"];

/** What must hold after every step, whatever was unplugged. Keeps what it saw, so that nothing seen can change later. */
export class Checks {
  readonly #pieces = new Map<NodeId, { index: number; pieces: SnapshotPiece[] }>();
  readonly #leaders = new Map<number, NodeId>();
  readonly #recorded = new Map<string, string>();
  readonly #acknowledged = new Map<JobId, number>();
  readonly #nodes: readonly SimNode[];
  /** Faults of that kind so far. */
  executorsBroken = 0;
  #failures = 0;
  #isRecovered = false;

  constructor(nodes: readonly SimNode[]) {
    this.#nodes = nodes;
  }

  /** A client was told that this job survives. */
  acknowledge(jobId: JobId, atIndex: number): void {
    this.#acknowledged.set(jobId, atIndex);
  }

  /** A person has the fleet go on without boxes that are gone: what they alone knew or held may be lost, and done again. */
  recovering(survivors: readonly SimNode[]): void {
    this.#isRecovered = true;
    const ledgers = survivors.flatMap((node) => (node.agent ? [node.agent.ledger] : []));
    for (const jobId of this.#acknowledged.keys())
      if (!ledgers.some((ledger) => ledger.jobs.has(jobId))) this.#acknowledged.delete(jobId);
    const known = new Set(
      ledgers
        .flatMap((ledger) => [...ledger.jobs.values()])
        .flatMap((job) => job.results.map((result) => result && `${job.jobId} ${result.item}`)),
    );
    for (const key of this.#recorded.keys()) if (!known.has(key)) this.#recorded.delete(key);
  }

  afterStep(): void {
    for (const node of this.#nodes) {
      if (node.part === "full") this.#checkSnapshot(node);
      if (!node.agent) continue;
      node.agent.assertSound();
      const { role, term } = node.agent.raftStatus();
      if (role === "leader") this.#checkLeader(term, node.nodeId);
      if (node.part === "full") this.#checkLedger(node, node.agent.ledger);
    }
  }

  /** Whatever the journal names would be there after a power cut now, but for what a worn-out disk took. */
  #checkSnapshot(node: SimNode): void {
    const snapshot = node.journal.durableSnapshot();
    if (!snapshot) return;
    const known = this.#pieces.get(node.nodeId);
    const pieces = known?.index === snapshot.index ? known.pieces : decodeManifest(snapshot.data);
    this.#pieces.set(node.nodeId, { index: snapshot.index, pieces });
    const lost = pieces.find(({ hash }) => !node.blobs.held().has(hash) && !node.blobs.setAside().has(hash));
    invariant(!lost, `${node.name} has every piece of its snapshot up to ${snapshot.index}, not ${lost?.hash}`);
  }

  #checkLeader(term: number, leader: NodeId): void {
    const known = this.#leaders.get(term) ?? leader;
    invariant(known === leader, `term ${term} has one leader`);
    this.#leaders.set(term, leader);
  }

  #checkLedger(node: SimNode, ledger: Ledger): void {
    for (const [jobId, atIndex] of this.#acknowledged)
      invariant(
        ledger.appliedIndex < atIndex || ledger.jobs.has(jobId),
        `${node.name} knows the acknowledged ${jobId}`,
      );
    for (const job of ledger.jobs.values())
      for (const result of job.results) {
        if (!result) continue;
        const key = `${job.jobId} ${result.item}`;
        const told = `${result.output ?? result.error?.code} at ${result.recordedAtIndex} by ${result.node}`;
        const known = this.#recorded.get(key) ?? told;
        invariant(known === told, `${key} was recorded once: ${known}, not ${told} (${node.name})`);
        if (!this.#recorded.has(key)) this.#checkFirstRecord(key, result);
        this.#recorded.set(key, told);
        if (result.output) this.#checkHeld(key, result.output, ledger.holdersOf(result.output));
      }
  }

  /** When a result counts, every box that is said to hold it holds it; and no box's trouble is taken for the item's. */
  #checkFirstRecord(key: string, { output, error, holders }: RecordedResult): void {
    for (const holder of holders) {
      const node = this.#nodes.find((one) => one.nodeId === holder);
      invariant(output && node?.blobs.held().has(output), `${key}: ${node?.name} holds what it is recorded to hold`);
    }
    // Of two boxes with a witness one goes on alone, and makes the copies when the other is back.
    const copiesMin = this.#nodes.some(({ part }) => part === "witness") ? 1 : 2;
    invariant(!output || holders.length >= copiesMin, `${key}: a result counts once ${copiesMin} boxes hold it`);
    if (!error) return;
    this.#failures++;
    invariant(BROKEN.includes(error.code), `${key}: failed only because executors died, not ${error.code}`);
    invariant(2 * this.#failures <= this.executorsBroken, `${key}: an item fails on two boxes before it is given up`);
  }

  /** Disks outlive agents: a holder that is down still holds. */
  #checkHeld(key: string, output: BlobHash, holders: readonly NodeId[]): void {
    if (this.#isRecovered) return;
    const holds = this.#nodes.some((node) => holders.includes(node.nodeId) && node.blobs.held().has(output));
    invariant(holds, `${key}: a recorded result is on some holder's disk`);
  }
}
