/**
 * Time and chance of the real world. Everything else gets them as arguments, so that a simulator can put its own in their
 * place; this is the only room that asks the system for them.
 */
export { systemClock } from "./clock.ts";
export { systemRandomness } from "./randomness.ts";
