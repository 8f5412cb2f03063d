/** Successive halving (Jamieson & Talwalkar 2016), in thirds: all candidates for a few rounds, the better third for three times as many, and so on. */

export interface Rung {
  /** Rounds that a candidate has had in all when the rung ends. */
  rounds: number;
  /** Candidates that begin it. */
  candidates: number;
}

const ETA = 3;

/** Rungs that end with one candidate after `rounds` rounds. */
export function rungsFor(candidates: number, rounds: number): Rung[] {
  const counts = [candidates];
  while (counts.at(-1)! > 1) counts.push(Math.ceil(counts.at(-1)! / ETA));
  return counts.map((count, i) => ({
    candidates: count,
    rounds: Math.max(1, Math.round(rounds / ETA ** (counts.length - 1 - i))),
  }));
}

/** The better third goes on: of equal ones the earlier. */
export function keepBest<T>(candidates: readonly T[], lossOf: (candidate: T) => number, count: number): T[] {
  const worth = (candidate: T): number => {
    const loss = lossOf(candidate);
    return Number.isFinite(loss) ? loss : Number.POSITIVE_INFINITY;
  };
  return [...candidates].sort((a, b) => worth(a) - worth(b)).slice(0, count);
}

/** Where a search begins: learning rates by powers of ten and halves of them, each with no decay, a little and more. */
export const LEARNING_RATES = { adam: [0.1, 0.03, 0.01], sgd: [1, 0.3, 0.1] } as const;
export const DECAYS = [0, 1e-4, 1e-3] as const;
