/**
 * What one node does next about its leases: fetch the inputs, run, store and copy the outputs, report, and keep what is
 * finished until a leader, this one or the next, has it in the ledger.
 */
export type { FinishedResult, FinishedTask } from "./tasks.ts";
export { type OutputToCopy, Worker, type WorkerEffect, type WorkerEvent } from "./worker.ts";
