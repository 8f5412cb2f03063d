/**
 * Notices what changes about this box while it runs: it goes onto its battery, it is slowed, others take its memory, its
 * storage becomes slow. Readings go in, changes worth telling come out, each once.
 */
export { type BoxChange, BoxWatch } from "./watch.ts";
