#!/usr/bin/env node
// The door to the command line. Written so that any Node that knows modules can at least read it: it finds out whether the
// Node it runs on can run Skein, and if not hands over to the one that was installed beside it.
const NEEDED = [22, 12];
// An agent lives for months and mostly makes little garbage at a time; left alone, V8 lets its nursery grow by 30 MB for
// nothing. With 2 MB here a leader that records a thousand results a second spends a quarter of its time on garbage.
const LEAN = "--max-semi-space-size=8";

function isNewEnough() {
  const parts = process.versions.node.split(".").map(Number);
  return parts[0] > NEEDED[0] || (parts[0] === NEEDED[0] && parts[1] >= NEEDED[1]);
}

/** Ends as the other process ended, by the same signal or the same code; meanwhile hands signals on. */
function handOver(childProcess, program, args) {
  const signals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR2"];
  let child;
  const forward = (signal) => child.kill(signal);
  // Before there is a child: it may be at work, and this process be ended for it, while its start here is still under way.
  for (const signal of signals) process.on(signal, forward);
  child = childProcess.spawn(program, args, { stdio: "inherit" });
  child.on("error", (error) => giveUp(`${program} cannot be started: ${error.message}`));
  child.on("exit", (code, signal) => {
    for (const one of signals) process.removeListener(one, forward);
    if (signal) process.kill(process.pid, signal);
    else process.exit(code);
  });
}

function giveUp(reason) {
  console.error(`skein: ${reason}`);
  process.exit(4);
}

function pinnedNode(fs, path, root) {
  const near = [path.join(root, "node_modules"), path.dirname(root)];
  const own = `node-linux-${process.arch}`;
  const places = near.map((folder) => path.join(folder, own, "bin", "node"));
  return places.concat(near.map((folder) => path.join(folder, ".bin", "node"))).find((place) => fs.existsSync(place));
}

/** Node prints a warning for each experiment it runs, type stripping among them; the others are still shown. */
function hushTypeStripping() {
  process.removeAllListeners("warning");
  process.on("warning", (warning) => {
    if (!/type stripping/i.test(warning.message)) console.error(warning.stack || String(warning));
  });
}

async function begin() {
  const childProcess = await import("node:child_process");
  const fs = await import("node:fs");
  const path = await import("node:path");
  const url = await import("node:url");
  const self = fs.realpathSync(process.argv[1]);
  const root = path.resolve(path.dirname(self), "..", "..");
  const args = process.argv.slice(2);
  if (!isNewEnough()) {
    const node = pinnedNode(fs, path, root);
    if (!node)
      giveUp(
        `needs Node ${NEEDED.join(".")} or later, and this is ${process.version}. Install a newer Node, or run npm ci again.`,
      );
    return handOver(childProcess, node, [self].concat(args));
  }
  // Node refuses to strip types under node_modules, so the published package carries its JavaScript.
  const isPublished = root.split(path.sep).includes("node_modules");
  if (!isPublished && !process.features.typescript && !process.execArgv.includes("--experimental-strip-types")) {
    const flags = ["--experimental-strip-types", "--disable-warning=ExperimentalWarning"];
    return handOver(childProcess, process.execPath, flags.concat(self, args));
  }
  // Becomes the lean one in the same process. Whoever starts an agent over an IPC channel passes the flag itself.
  const isLean = process.execArgv.includes(LEAN) || process.channel || !process.execve;
  if (args.includes("start") && !isLean)
    process.execve(process.execPath, [process.execPath, LEAN].concat(process.execArgv, self, args), process.env);
  hushTypeStripping();
  // Kept between starts: without it every start strips every file anew, which costs half a second and 25 MB for as long as
  // the agent runs. Where the folder cannot be written (installed by another user) it is merely not kept.
  const { enableCompileCache, flushCompileCache } = await import("node:module");
  enableCompileCache?.(path.join(root, "node_modules", ".cache", "skein"));
  const built = url.pathToFileURL(path.join(root, "dist", "agent", "cli", "index.js")).href;
  // By the front door of the room: this file only stands before it.
  const cli = isPublished ? await import(built) : await import("../cli/index.ts");
  flushCompileCache?.();
  process.exitCode = await cli.main(args, cli.systemWorld());
  // Whatever is left open now has no one to serve. Output that still waits to be read is given a moment.
  setTimeout(() => process.exit(), 1000).unref();
}

begin().catch((error) => {
  console.error(error);
  process.exit(1);
});
