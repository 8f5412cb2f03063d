/** When items end on a node, one after the other: the planner expects so, and the dispatcher at the end of a job. */
export interface ItemPace {
  /** Of all its executors together. Over 0, finite. */
  itemsPerSecond: number;
  /** Items it runs at once; each takes that many times as long. A whole number from 1 on. */
  executors: number;
  /** Until its first item could begin to move or to run. */
  startSeconds: number;
  /** One item's way to it, while others run; 0 if the inputs are there. */
  transferSeconds: number;
}

/** Of one item on one executor. */
export const runSeconds = (node: Pick<ItemPace, "executors" | "itemsPerSecond">): number =>
  node.executors / node.itemsPerSecond;

/** Computing and carrying overlap, so the slower of the two sets the pace. Items a second. */
export const paceOf = (node: ItemPace): number =>
  node.transferSeconds > 0 ? Math.min(node.itemsPerSecond, 1 / node.transferSeconds) : node.itemsPerSecond;

/**
 * When `node` would end `items` items that are its own from the start. They come one after the other, each runs on the
 * first executor that is free: with k executors item (m - 1)k + j is the m-th of executor j, and ends j transfers, m - 1
 * paces of the slower of both, and its own run after the start.
 */
export function endSeconds(node: ItemPace, items: number): number {
  if (items === 0) return 0;
  const { executors, startSeconds, transferSeconds } = node;
  const waves = Math.ceil(items / executors);
  const pace = paceOf(node);
  const inWave = items - (waves - 1) * executors;
  return startSeconds + inWave * transferSeconds + (runSeconds(node) - executors / pace) + (waves * executors) / pace;
}
