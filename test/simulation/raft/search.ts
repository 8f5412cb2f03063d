/** Tries every order of moves in a small world, breadth first, up to a number of states: what random walks miss. */
import { cloneWorld } from "./clone.ts";
import { type Bounds, SmallWorld } from "./small-world.ts";

export interface SearchOutcome {
  states: number;
  /** Moves from the start within which every state was seen. */
  depth: number;
  /** Present if something broke: the moves that lead there, and what broke. */
  failure?: string;
}

interface Place {
  world: SmallWorld;
  path: string[];
}

export function search(bounds: Bounds, statesMax: number): SearchOutcome {
  const seen = new Set<string>();
  let places: Place[] = [{ world: new SmallWorld(bounds), path: [] }];
  let depth = 0;
  for (; places.length > 0 && seen.size < statesMax; depth += 1) {
    const next: Place[] = [];
    for (const { world, path } of places) {
      for (const move of world.moves()) {
        const copy = cloneWorld(world);
        try {
          copy.move(move);
        } catch (error) {
          const what = error instanceof Error ? error.message : String(error);
          return { states: seen.size, depth, failure: `${[...path, move].join(", ")}: ${what}` };
        }
        const print = copy.fingerprint();
        if (seen.has(print)) continue;
        seen.add(print);
        next.push({ world: copy, path: [...path, move] });
      }
      if (seen.size >= statesMax) return { states: seen.size, depth };
    }
    places = next;
  }
  return { states: seen.size, depth };
}
