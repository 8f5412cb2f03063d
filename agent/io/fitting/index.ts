/**
 * Fitting: labelled vectors that stay on this box, and rounds of training a softmax head on them. `datasets.ts` keeps the
 * files; `trainer.ts` hands rounds, and files to be read, to a thread (`thread.ts`), below the agent in priority, which holds
 * the rows in memory while rounds come and is let go after.
 */
export { openFitting } from "./fitting.ts";
