/**
 * The command line. `skein start` starts an agent, `init` and `join` make its data folder; every other command is a call to
 * a running agent through the same client as everyone else's, and a way to print what it answers. Data goes to stdout,
 * words for a person go to stderr, so that output can be piped. skein.js is the door: it finds a Node that can run this.
 */
export { main } from "./program.ts";
export { systemWorld } from "./world.ts";
