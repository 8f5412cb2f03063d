/**
 * Faults: what an agent does to its own process in a drill, so that each ends by itself even if nobody remembers it. A killed
 * agent is started again by systemd where systemd keeps it, else by a small process that it left behind; a frozen one is
 * woken by two. The room decides nothing about when, and touches no process but this one and its children.
 */
export { createFaults, type FaultsInit } from "./faults.ts";
export { hasLifeline, LIFELINE } from "./lifeline.ts";
