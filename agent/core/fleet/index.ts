/**
 * The fleet room folds what a node hears (capacity reports, link state, the roster, who leads) into one view of every
 * node, and decides who is fresh, late or gone. Presence comes from reports and from the links' own heartbeats, never
 * from discovery: a box that answers a multicast may still be unreachable, and one that does not may be at work.
 * Silence is judged by this node's monotonic clock alone; another box's wall clock is compared only with its own.
 */
export type { FleetEffect, FleetEvent, FleetInit } from "./fleet.ts";
export { Fleet } from "./fleet.ts";
