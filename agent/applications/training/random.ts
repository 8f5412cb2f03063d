/** Chance that is the same on every machine. */
import { chance } from "../../../shared/chance.ts";

export interface Random {
  /** From 0 up to, not including, 1. */
  next(): number;
  /** Near the standard normal distribution: the sum of twelve, less six. */
  normal(): number;
  shuffle<T>(items: readonly T[]): T[];
}

export function seededRandom(seed: number): Random {
  const next = chance(seed);
  const normal = (): number => Array.from({ length: 12 }, next).reduce((sum, one) => sum + one) - 6;
  const shuffle = <T>(items: readonly T[]): T[] => {
    const order = [...items];
    for (let i = order.length - 1; i > 0; i--) {
      const j = Math.floor(next() * (i + 1));
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    return order;
  };
  return { next, normal, shuffle };
}
