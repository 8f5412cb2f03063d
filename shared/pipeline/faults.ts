import { SkeinError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { nearest } from "../nearest.ts";

/** Where something stands in a definition: keys, and places in lists. */
export type At = readonly (string | number)[];
/** Of the text that a definition was read from, from 1. */
export interface TextPlace {
  line: number;
  column: number;
}
export type PlaceOf = (at: At) => TextPlace | undefined;

export interface PipelineFault extends Partial<TextPlace> {
  /** `stages.best.in.scores`; empty: of the whole. */
  path: string;
  /** Follows on the path, as in "stages.best.in.scores takes ...". */
  reason: string;
}

/** What is wrong with a pipeline, gathered: whoever writes one wants to hear of all of it at once. */
export class Faults {
  readonly #found: { at: At; reason: string }[] = [];

  get found(): readonly { at: At; reason: string }[] {
    return this.#found;
  }

  add(at: At, reason: string): void {
    if (this.#found.length < LIMITS.pipelineFaultsMax) this.#found.push({ at, reason: reason.slice(0, REASON_MAX) });
  }

  /** What a check gives, or undefined and a fault if it refuses. */
  attempt<T>(at: At, check: () => T): T | undefined {
    try {
      return check();
    } catch (error) {
      const refusal = SkeinError.from(error);
      if (refusal.code !== "BAD_REQUEST") throw error;
      this.add(at, String(refusal.facts.reason));
      return undefined;
    }
  }

  /** A name that nobody knows; what was probably meant is asked. */
  unknown(at: At, what: string, name: string, known: readonly string[]): void {
    const near = nearest(name, known);
    const few = known.length > NAMED_MAX ? `${known.slice(0, NAMED_MAX).join(", ")}, ...` : known.join(", ");
    const meant = near !== undefined ? `did you mean ${near}?` : few ? `known are ${few}` : "there are none";
    this.add(at, `${what}; ${meant}`);
  }

  /** @throws PIPELINE_INVALID if there are any */
  end(pipeline: string, placeOf?: PlaceOf): void {
    if (this.#found.length === 0) return;
    throw new SkeinError("PIPELINE_INVALID", { pipeline, faults: this.told(placeOf) });
  }

  /** In the order of the text where it is known, else in which they were found. */
  told(placeOf?: PlaceOf): PipelineFault[] {
    const faults = this.#found.map(({ at, reason }) => ({ path: pathText(at), ...placeOf?.(at), reason }));
    if (placeOf) faults.sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
    return withinBytes(faults);
  }
}

const NAMED_MAX = 16;
/** Letters of one reason. */
const REASON_MAX = 500;

/** Keys that are no plain words are quoted, and cut: they come from anybody. */
export function pathText(at: At): string {
  return at
    .map((key, i) =>
      typeof key === "number"
        ? `[${key}]`
        : `${i > 0 ? "." : ""}${/^[\w-]{1,60}$/.test(key) ? key : JSON.stringify(key.slice(0, 60))}`,
    )
    .join("");
}

/** A name as it may stand in a message: on one line, and short. */
export const quoted = (name: string): string =>
  /^[\w./:@-]{1,80}$/.test(name) ? name : JSON.stringify(name.slice(0, 80));

function withinBytes(faults: readonly PipelineFault[]): PipelineFault[] {
  let bytes = 0;
  return faults.filter((fault) => {
    bytes += JSON.stringify(fault).length;
    return bytes <= LIMITS.pipelineFaultsBytesMax;
  });
}
