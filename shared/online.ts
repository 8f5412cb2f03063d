import type { NodeId } from "./ids.ts";

/** What a box made of an input that somebody waited for. Recorded nowhere. */
export interface OnlineAnswer {
  output: Uint8Array;
  /** Who ran it. */
  node: NodeId;
  name: string;
  /** Of the run itself. */
  durationMs: number;
  /** Boxes that were asked. */
  attempts: number;
}
