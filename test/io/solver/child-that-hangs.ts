/** A solver's process that is loaded, takes a question, and never comes back from it. */
process.on("message", () => {
  for (;;);
});
process.send?.({ id: 0 });
