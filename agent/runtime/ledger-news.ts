import type { JobId } from "../../shared/ids.ts";
import { isOpen } from "../../shared/job.ts";
import { LIMITS } from "../../shared/limits.ts";
import { modelReference } from "../../shared/model.ts";
import type { JobRecord, Ledger, LedgerEvent } from "../core/ledger/index.ts";
import type { Events } from "./events.ts";

/** Jobs of which a snapshot brought news, the newest: each is up to three of the events that are kept. */
const RESTORED_JOBS_TOLD_MAX = LIMITS.eventsKeptMax / 4;

/** Tells what was agreed as events, for whoever watches. */
export class LedgerNews {
  readonly #events: Events;

  constructor(events: Events) {
    this.#events = events;
  }

  moved(event: LedgerEvent): void {
    if (event.kind === "fleetRecovered") this.#events.emit("fleetRecovered", { ...event.recovery }, "warn");
    if (event.kind === "modelAdded" || event.kind === "modelRemoved")
      this.#events.emit(event.kind, { model: modelReference(event.model.manifest) });
    if (["rulesChanged", "placementDecided", "pipelinesChanged"].includes(event.kind))
      this.#events.emit(event.kind, {});
    if (event.kind === "jobSubmitted") this.#tellJob("jobSubmitted", event.job);
    if (event.kind === "resultsRecorded") {
      const { jobId, parent } = event.job;
      for (const { item, node, recordedAtIndex } of event.results)
        this.#events.emit("resultRecorded", { jobId, item, node, recordedAtIndex }, "debug");
      if (!parent) this.#tellProgress(event.job);
    }
    if (event.kind === "jobPaused") this.#tellJob("jobPaused", event.job);
    if (event.kind === "jobEnded") this.#tellJob("jobEnded", event.job);
    if (event.kind === "jobFormed") {
      const { jobId, form } = event.job;
      this.#events.emit("jobFormed", { jobId, segments: form!.segments.map(({ name }) => name) });
    }
    if (event.kind === "resultsLost") {
      const { parent, pipeline } = event.job;
      this.#events.emit(
        "stageRunsAgain",
        { jobId: parent!.jobId, segment: pipeline, tasks: event.items.length },
        "warn",
      );
    }
  }

  /** A snapshot took the place of entries that were never applied here. */
  restored(ledger: Ledger, before: ReadonlyMap<JobId, JobRecord>): void {
    const submitted = [...ledger.jobs.values()].filter(({ parent }) => !parent);
    for (const job of submitted.slice(-RESTORED_JOBS_TOLD_MAX)) {
      const known = before.get(job.jobId);
      if (!known) this.#tellJob("jobSubmitted", job);
      if (job.recordedCount !== (known?.recordedCount ?? 0)) this.#tellProgress(job);
      const state = known?.state ?? "running";
      if (job.state !== state) this.#tellJob(isOpen(job.state) ? "jobPaused" : "jobEnded", job);
    }
  }

  #tellJob(event: string, job: JobRecord): void {
    const { jobId, pipeline, state, failedCount, inputs } = job;
    this.#events.emit(event, { jobId, pipeline, state, items: inputs.length, itemsFailed: failedCount });
  }

  #tellProgress({ jobId, recordedCount, inputs }: JobRecord): void {
    this.#events.emit("jobProgressed", { jobId, itemsRecorded: recordedCount, items: inputs.length }, "debug");
  }
}
