import type { BlobHash } from "../../shared/ids.ts";
import type {
  Blobs,
  CapacityProbe,
  Clock,
  Faults,
  Fitting,
  InferenceEngine,
  Journal,
  ModelFolders,
  Notes,
  PeerNetwork,
  Randomness,
  Signer,
  Solver,
  Telemetry,
  Trials,
} from "../ports/index.ts";

/** The world as one agent has it: the real rooms of io/, or the simulator's. */
export interface Surroundings {
  clock: Clock;
  randomness: Randomness;
  journal: Journal;
  network: PeerNetwork;
  notes: Notes;
  signer: Signer;
  blobs: Blobs;
  models: ModelFolders;
  engine: InferenceEngine;
  probe: CapacityProbe;
  /** Absent on a box that runs no models. */
  trials?: Trials;
  /** Absent on a witness. */
  fitting?: Fitting;
  faults: Faults;
  solver: Solver;
  telemetry: Telemetry;
  sha256: (bytes: Uint8Array) => BlobHash;
}
