import { invariant } from "../../../shared/errors.ts";
import type { NodeId } from "../../../shared/ids.ts";

/** One piece, asked of one holder. */
export interface Assignment {
  piece: number;
  holder: NodeId;
}

export interface Running extends Assignment {
  sinceMs: number;
}

/** The pieces that are being sent now, in the order in which they were asked for. */
export class UnderWay {
  readonly #running: Running[] = [];

  get count(): number {
    return this.#running.length;
  }

  all(): readonly Running[] {
    return this.#running;
  }

  begin(assignment: Assignment, nowMs: number): Assignment {
    this.#running.push({ ...assignment, sinceMs: nowMs });
    return assignment;
  }

  end({ piece, holder }: Assignment): Running {
    const at = this.#running.findIndex((run) => run.piece === piece && run.holder === holder);
    invariant(at >= 0, "only what was begun ends");
    return this.#running.splice(at, 1)[0]!;
  }

  /** Of whomever it was asked. */
  of(piece: number): Running[] {
    return this.#running.filter((run) => run.piece === piece);
  }

  /** Pieces that are asked of this one. */
  load(holder: NodeId): number {
    return this.#running.filter((run) => run.holder === holder).length;
  }

  /** Of two that are as busy, the one that was named first. */
  leastBusy(holders: readonly NodeId[]): NodeId | undefined {
    return holders.toSorted((a, b) => this.load(a) - this.load(b))[0];
  }
}
