import type { BlobHash, JobId, NodeId } from "../../../shared/ids.ts";
import type { JobRecord } from "./job.ts";
import type { Ledger } from "./ledger.ts";
import type { LedgerEvent } from "./outcome.ts";
import { stagesOf } from "./stages.ts";

/**
 * Which results of stage jobs are lost, for who leads. Only a node that left, or that lost its copy, can lose any, so what is
 * looked at is what such nodes held, and each new result once; not all that is recorded.
 */
export class LostResults {
  readonly #ledger: Ledger;
  /** By the job that somebody submitted. */
  readonly #outputs = new Map<JobId, StageOutputs>();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  ledgerMoved(event: LedgerEvent): void {
    if (event.kind === "resultsRecorded" && event.job.parent) {
      const outputs = this.#outputs.get(event.job.parent.jobId);
      for (const { item } of event.results) outputs?.recorded(event.job, item);
    }
    if (event.kind === "holdersChanged")
      for (const outputs of this.#outputs.values()) {
        for (const blob of event.blobs) outputs.heldOtherwise(blob);
        for (const { blob, added } of event.changes) outputs.heldBy(blob, added);
      }
  }

  close(jobId: JobId): void {
    this.#outputs.delete(jobId);
  }

  /** By stage job, ascending: tasks whose output something still starts from, and none of these nodes holds. */
  of(job: JobRecord, given: ReadonlySet<NodeId>): { stage: JobRecord; tasks: number[] }[] {
    const stages = stagesOf(this.#ledger, job);
    let outputs = this.#outputs.get(job.jobId);
    if (!outputs) {
      outputs = new StageOutputs(this.#ledger, stages);
      this.#outputs.set(job.jobId, outputs);
    }
    outputs.doubtWhatLeft(given);
    return stages.flatMap((stage) => {
      const tasks = outputs.lostOf(stage, given);
      return tasks.length > 0 ? [{ stage, tasks }] : [];
    });
  }
}

interface Task {
  stage: JobRecord;
  place: number;
}

/** Of one job. */
class StageOutputs {
  readonly #ledger: Ledger;
  /** What gave a blob: nearly always one task. Some may have been lost since, or given another. */
  readonly #tasksOf = new Map<BlobHash, Task[]>();
  /** What each node was recorded to hold; some of it may be there no more. */
  readonly #held = new Map<NodeId, Set<BlobHash>>();
  /** Those of the nodes that were not given work when that was looked at last. */
  #away: ReadonlySet<NodeId> = new Set();
  /** By stage: what is to be looked at, for as long as none of the nodes that are given work holds it. */
  readonly #doubtful = new Map<JobId, Set<number>>();

  constructor(ledger: Ledger, stages: readonly JobRecord[]) {
    this.#ledger = ledger;
    for (const stage of stages) {
      this.#doubtful.set(stage.jobId, new Set());
      for (const place of stage.results.keys()) this.recorded(stage, place);
    }
  }

  recorded(stage: JobRecord, place: number): void {
    const blob = stage.results[place]?.output;
    if (!blob) return;
    const tasks = this.#tasksOf.get(blob) ?? [];
    if (!tasks.some((task) => task.stage === stage && task.place === place)) tasks.push({ stage, place });
    this.#tasksOf.set(blob, tasks);
    this.heldBy(blob, this.#ledger.holdersOf(blob));
    this.#doubtful.get(stage.jobId)!.add(place);
  }

  /** Also by these. */
  heldBy(blob: BlobHash, nodes: readonly NodeId[]): void {
    if (!this.#tasksOf.has(blob)) return;
    for (const node of nodes) {
      const held = this.#held.get(node) ?? new Set();
      this.#held.set(node, held.add(blob));
    }
  }

  heldOtherwise(blob: BlobHash): void {
    for (const { stage, place } of this.#tasksOf.get(blob) ?? []) this.#doubtful.get(stage.jobId)!.add(place);
  }

  doubtWhatLeft(given: ReadonlySet<NodeId>): void {
    const away = new Set([...this.#held.keys()].filter((node) => !given.has(node)));
    for (const node of away)
      if (!this.#away.has(node)) for (const blob of this.#held.get(node)!) this.heldOtherwise(blob);
    this.#away = away;
  }

  lostOf(stage: JobRecord, given: ReadonlySet<NodeId>): number[] {
    const doubtful = this.#doubtful.get(stage.jobId)!;
    const staged = this.#ledger.stagingOf(stage);
    const lost: number[] = [];
    for (const place of doubtful) {
      const blob = stage.results[place]?.output;
      const isHeld = blob && this.#ledger.holdersOf(blob).some((node) => given.has(node));
      if (!blob || isHeld) doubtful.delete(place);
      // What nothing starts from now may be needed again, when what was made of it is lost.
      else if (staged?.staging.isNeeded(staged.segment, place)) lost.push(place);
    }
    return lost.sort((a, b) => a - b);
  }
}
