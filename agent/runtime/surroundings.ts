import type { BlobHash } from "../../shared/ids.ts";
import type {
  Blobs,
  CapacityProbe,
  Clock,
  Faults,
  InferenceEngine,
  Journal,
  Notes,
  PeerNetwork,
  Randomness,
  Signer,
  Solver,
  Telemetry,
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
  engine: InferenceEngine;
  probe: CapacityProbe;
  faults: Faults;
  solver: Solver;
  telemetry: Telemetry;
  sha256: (bytes: Uint8Array) => BlobHash;
}
