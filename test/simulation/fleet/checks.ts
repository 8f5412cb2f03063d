import type { JobRecord, LedgerOutcome } from "../../../agent/core/ledger/index.ts";
import { type ErrorCode, INPUT_FAULTS, invariant } from "../../../shared/errors.ts";
import type { BlobHash, JobId, NodeId } from "../../../shared/ids.ts";
import type { RecordedResult } from "../../../shared/job.ts";
import type { SnapshotPiece } from "../../../shared/ledger-snapshot.ts";
import { decodeManifest } from "../../../shared/wire/ledger-snapshot.ts";
import { CopiesCheck } from "./copies-check.ts";
import { queuesOf } from "./queues.ts";
import type { Ears, SimNode } from "./sim-node.ts";

/** What is recorded of an item that ended executors: on a box that died meanwhile, or twice. */
const BROKEN: readonly ErrorCode[] = ["EXECUTOR_DIED", "DEADLINE_EXCEEDED", "ITEM_QUARANTINED"];

/** Between two looks at everything there is; in between, at what changed. It takes longer the more there is, so it is made more rarely. */
const WHOLE_STEPS = 200;
const WHOLE_STEPS_PER_ITEM = 0.25;
/** In a large fleet the cores are asked whether they are sound in turns, some after each step. */
const SOUND_PER_STEP = 8;
/** Acknowledged jobs looked for after each step, in turns, beside the newest one. */
const JOBS_PER_STEP = 4;

/**
 * What must hold after every step, whatever was unplugged. Keeps what it saw, so that nothing seen can change later. What
 * a step changed is checked as it changes; now and then, and at the end, everything is looked at again.
 */
export class Checks implements Ears {
  readonly #nodes: readonly SimNode[];
  /** What the one pipeline makes of a blob that a client handed in. */
  readonly #expectedOf: (input: BlobHash) => BlobHash | undefined;
  readonly #copies: CopiesCheck;
  readonly #pieces = new Map<NodeId, { index: number; losses: number; pieces: SnapshotPiece[] }>();
  readonly #leaders = new Map<number, NodeId>();
  readonly #recorded = new Map<string, string>();
  readonly #acknowledged = new Map<JobId, number>();
  readonly #inTurns: JobId[] = [];
  #turn = 0;
  /** Boxes whose ledger became another in one go: looked at as a whole after the step. */
  readonly #restored = new Set<SimNode>();
  #steps = 0;
  #wholeAtStep = WHOLE_STEPS;
  #soundTurn = 0;
  /** Of what happened within a step: it is thrown after it, where no agent can swallow it. */
  #fault: unknown;
  /** Faults of that kind so far. */
  executorsBroken = 0;
  #failures = 0;

  constructor(nodes: readonly SimNode[], expectedOf: (input: BlobHash) => BlobHash | undefined) {
    this.#nodes = nodes;
    this.#expectedOf = expectedOf;
    this.#copies = new CopiesCheck(nodes);
    for (const node of nodes) node.ears = this;
  }

  /** Items with a result, each counted once. */
  get itemsRecorded(): number {
    return this.#recorded.size;
  }

  /** A client was told that this job survives. */
  acknowledge(jobId: JobId, atIndex: number): void {
    this.#acknowledged.set(jobId, atIndex);
    this.#inTurns.push(jobId);
  }

  /** A person has the fleet go on without boxes that are gone: what they alone knew or held may be lost, and done again. */
  recovering(survivors: readonly SimNode[]): void {
    this.#copies.recovering();
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
    this.#steps++;
    if (this.#fault) throw this.#fault;
    const isWhole = this.#steps >= this.#wholeAtStep;
    if (isWhole) this.#wholeAtStep = this.#steps + WHOLE_STEPS + WHOLE_STEPS_PER_ITEM * this.#recorded.size;
    for (const node of this.#nodes) {
      if (node.part === "full") this.#checkSnapshot(node);
      if (!node.agent) continue;
      const { role, term } = node.agent.raftStatus();
      if (role === "leader") this.#checkLeader(term, node.nodeId);
    }
    this.#checkSound(isWhole ? this.#nodes.length : SOUND_PER_STEP);
    for (const node of isWhole ? this.#nodes : this.#restored) this.#checkLedger(node);
    this.#restored.clear();
    this.#checkSomeAcknowledged();
    this.#checkQueues(this.#nodes[this.#steps % this.#nodes.length]!);
    this.#copies.afterStep(isWhole);
  }

  /** Everything, whatever changed. */
  whole(): void {
    this.#wholeAtStep = 0;
    for (const node of this.#nodes) this.#checkQueues(node);
    this.afterStep();
  }

  // ---- as it happens

  onOutcome(node: SimNode, { events }: LedgerOutcome): void {
    this.#guard(() => {
      for (const event of events) {
        if (event.kind === "resultsRecorded")
          for (const result of event.results) this.#checkResult(node, event.job, result);
        if (event.kind === "resultsRecorded" || event.kind === "resultsLost" || event.kind === "jobFormed")
          node.agent?.ledger.assertSound([event.job]);
      }
    });
  }

  onRestored(node: SimNode): void {
    this.#restored.add(node);
  }

  onCopyLost(_node: SimNode, blob: BlobHash): void {
    this.#copies.lost(blob);
  }

  /** A leader that was deposed while it was frozen or cut off is not obeyed by whoever knows better. */
  onLeaseTaken({ name }: SimNode, lease: { shardId: string; term: number; known: number }): void {
    const { shardId, term, known } = lease;
    this.#guard(() => invariant(term >= known, `${name} takes ${shardId} of term ${term} and knows of ${known}`));
  }

  #guard(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.#fault ??= error;
    }
  }

  // ---- what is checked

  #checkSound(boxes: number): void {
    const { length } = this.#nodes;
    for (let i = 0; i < Math.min(boxes, length); i++) this.#nodes[this.#soundTurn++ % length]!.agent?.assertSound();
  }

  /** Whatever the journal names would be there after a power cut now, but for what a worn-out disk took. */
  #checkSnapshot(node: SimNode): void {
    const snapshot = node.journal.durableSnapshot();
    if (!snapshot) return;
    const known = this.#pieces.get(node.nodeId);
    const { losses } = node.blobs;
    if (known?.index === snapshot.index && known.losses === losses) return;
    const pieces = known?.index === snapshot.index ? known.pieces : decodeManifest(snapshot.data);
    this.#pieces.set(node.nodeId, { index: snapshot.index, losses, pieces });
    const lost = pieces.find(({ hash }) => !node.blobs.held().has(hash) && !node.blobs.setAside().has(hash));
    invariant(!lost, `${node.name} has every piece of its snapshot up to ${snapshot.index}, not ${lost?.hash}`);
  }

  #checkLeader(term: number, leader: NodeId): void {
    const known = this.#leaders.get(term) ?? leader;
    invariant(known === leader, `term ${term} has one leader`);
    this.#leaders.set(term, leader);
  }

  #checkLedger(node: SimNode): void {
    if (!node.agent || node.part !== "full") return;
    const { ledger } = node.agent;
    ledger.assertSound();
    this.#checkAcknowledged(node, this.#acknowledged);
    for (const job of ledger.jobs.values())
      for (const result of job.results) if (result) this.#checkResult(node, job, result);
  }

  #checkSomeAcknowledged(): void {
    const { length } = this.#inTurns;
    const some = Array.from({ length: Math.min(length, JOBS_PER_STEP) }, () => this.#inTurns[this.#turn++ % length]!);
    if (length > 0) some.push(this.#inTurns[length - 1]!);
    const jobs = some.flatMap((jobId) => {
      const atIndex = this.#acknowledged.get(jobId);
      return atIndex === undefined ? [] : [[jobId, atIndex] as const];
    });
    for (const node of this.#nodes) if (node.agent?.holdsLedger) this.#checkAcknowledged(node, jobs);
  }

  #checkAcknowledged({ name, agent }: SimNode, jobs: Iterable<readonly [JobId, number]>): void {
    const { appliedIndex, jobs: known } = agent!.ledger;
    for (const [jobId, atIndex] of jobs)
      invariant(appliedIndex < atIndex || known.has(jobId), `${name} knows the acknowledged ${jobId}`);
  }

  #checkResult({ name }: SimNode, job: JobRecord, result: RecordedResult): void {
    // What a stage made may be lost and made again: then it is another record.
    const key = `${job.jobId} ${result.item}${job.parent ? ` at ${result.recordedAtIndex}` : ""}`;
    const told = `${result.output ?? result.error?.code} at ${result.recordedAtIndex} by ${result.node}`;
    const known = this.#recorded.get(key);
    invariant(known === undefined || known === told, `${key} was recorded once: ${known}, not ${told} (${name})`);
    if (known !== undefined) return;
    this.#recorded.set(key, told);
    this.#checkFirstRecord(job, key, result);
    if (result.output && !job.parent) this.#copies.recorded(result.output, key);
  }

  /** When a result counts, every box that is said to hold it holds it; and no box's trouble is taken for the item's. */
  #checkFirstRecord(job: JobRecord, key: string, { input, output, error, holders }: RecordedResult): void {
    for (const holder of holders) {
      const node = this.#nodes.find((one) => one.nodeId === holder);
      invariant(output && node?.blobs.hasHeld(output), `${key}: ${node?.name} holds what it is recorded to hold`);
    }
    // Of two boxes with a witness one goes on alone, and makes the copies when the other is back.
    const copiesMin = Math.min(job.copies, this.#nodes.some(({ part }) => part === "witness") ? 1 : 2);
    invariant(!output || holders.length >= copiesMin, `${key}: a result counts once ${copiesMin} boxes hold it`);
    const isOfStages = job.staged || job.parent !== undefined;
    const expected = isOfStages ? undefined : this.#expectedOf(input);
    invariant(!output || !expected || output === expected, `${key}: its output is what any box makes of its input`);
    if (!error || (isOfStages && INPUT_FAULTS.includes(error.code))) return;
    if (error.code === "STAGE_OUTPUT_LOST") {
      const losses = this.#nodes.reduce((sum, { blobs }) => sum + blobs.losses, 0);
      invariant(losses >= Number(error.facts.times), `${key}: is given up only if disks lost something so often`);
      return;
    }
    // What ends a stage's task ends the item too: that is one failure.
    if (!job.parent) this.#failures++;
    invariant(BROKEN.includes(error.code), `${key}: failed only because executors broke, not ${error.code}`);
    invariant(2 * this.#failures <= this.executorsBroken, `${key}: an item fails on two boxes before it is given up`);
  }

  #checkQueues(node: SimNode): void {
    for (const { what, length, max } of queuesOf(node))
      invariant(length <= max, `${node.name}: ${what} stays within ${max}, not ${length}`);
  }
}
