/** Chance that is the same on every machine. */

export interface Random {
  /** From 0 up to, not including, 1. */
  next(): number;
  /** Near the standard normal distribution: the sum of twelve, less six. */
  normal(): number;
  shuffle<T>(items: readonly T[]): T[];
}

/** mulberry32, by Tommy Ettinger, public domain. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
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
