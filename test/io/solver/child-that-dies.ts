/** A solver's process that is killed at its first question. */
process.on("message", () => process.kill(process.pid, "SIGKILL"));
process.send?.({ id: 0 });
