/**
 * Everything the agent can do to the world, as interfaces only. Each has at least two makers: the real room in io/ and
 * the simulator's in test/; one contract suite runs on both. Reading this folder is reading the whole border.
 */

export type { ProbeResult } from "../../shared/box.ts";
export type { Arrival, BlobInfo, Blobs } from "./blobs.ts";
export type { Cancel, Clock, Randomness } from "./clock.ts";
export type { Faults } from "./faults.ts";
export type { Fitting } from "./fitting.ts";
export type {
  EngineModel,
  InferenceEngine,
  InferenceOutcome,
  InferenceTask,
  InputPart,
  ModelToLoad,
  PipelineInfo,
  StageRun,
  StreamedInput,
} from "./inference.ts";
export type { Journal, JournalBatch, JournalContents } from "./journal.ts";
export type * from "./models.ts";
export type {
  BlobSource,
  FetchOptions,
  Impairment,
  Knock,
  LinkListener,
  PeerNetwork,
  RequestAnswer,
  RequestOptions,
  Welcome,
} from "./network.ts";
export type { NoteChange, Notes } from "./notes.ts";
export type { CapacityProbe, StorageSpeed } from "./probe.ts";
export type { Signer } from "./signer.ts";
export type * from "./solver.ts";
export type { LogLevel, Telemetry } from "./telemetry.ts";
