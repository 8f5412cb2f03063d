/**
 * Requests that somebody waits for at the other end of a connection: which box should run one, and when another is asked as
 * well. They skip the ledger, so they need no quorum and survive nothing but what the boxes that are reached survive.
 */

export { HedgeBudget } from "./hedge-budget.ts";
export { OnlineChoice, type OnlineNode, type OnlineRequest, type OnlineStep, ranked } from "./request.ts";
