/**
 * The runtime carries effects out and events back: one short driver per loop, each around one core. It knows the ports and
 * never the rooms behind them, so the simulator runs it unchanged over a pretend world.
 */
export { Agent } from "./agent.ts";
export type { AgentInit } from "./agent-init.ts";
export type { AgentFace } from "./face.ts";
export { foundingContents } from "./founding.ts";
export type { FleetIdentity } from "./membership.ts";
export { noEngine } from "./no-engine.ts";
export type { Surroundings } from "./surroundings.ts";
