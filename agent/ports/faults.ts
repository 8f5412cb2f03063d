/**
 * Harm that an agent does to itself in a drill. Each ends by itself: before one begins, everything that ends it stands, and
 * none of that needs this process. What the network does to itself is `PeerNetwork.impair`.
 */
export interface Faults {
  /**
   * This process is killed `inMs` from now as by SIGKILL, and an agent is started again on the same folder some time after,
   * by default `forMs`. Resolves with how, as a sentence. @throws DRILL_REFUSED if nothing would start it again.
   */
  kill(inMs: number, forMs: number): Promise<string>;
  /** This process and its executors stand still from `inMs` to `inMs + forMs` from now. Resolves with how. @throws DRILL_REFUSED */
  freeze(inMs: number, forMs: number): Promise<string>;
  /** Every room takes the disk for full, or no longer. Nothing is written; a restart takes it back. */
  fillDisk(isFull: boolean): void;
}
