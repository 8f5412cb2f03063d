import { SkeinError } from "../../shared/errors.ts";
import { type RunningAgent, startAgent } from "../main.ts";
import type { LogLevel } from "../ports/index.ts";
import { readHome } from "./home.ts";
import { type CommonOptions, dataDirOf, tokenOf } from "./options.ts";
import { claimRunFile, publishRunFile, removeRunFile } from "./run-file.ts";
import type { World } from "./world.ts";

export interface StartOptions extends CommonOptions {
  logLevel?: string;
}

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];
/** A terminal, and whoever hands signals on to us, may both deliver one Ctrl-C; that is one wish and not two. */
const SECOND_SIGNAL_MS = 500;
const AT_ONCE = 130;

/** Runs the agent of the data folder in this process until it is asked to stop. @throws NOT_INITIALISED, AGENT_RUNNING, PORT_TAKEN */
export async function start(options: StartOptions, world: World): Promise<number> {
  const dataDir = dataDirOf(options, world);
  const logLevel = levelOf(options.logLevel ?? "info");
  const { nodeKey, fleet, config } = await readHome(dataDir);
  const token = tokenOf(options, world) ?? config.api.token;
  const { name, network } = config;
  await claimRunFile(dataDir);
  let quit = (): void => {};
  try {
    const wish = stopWish(world, dataDir);
    quit = wish.quit;
    const running = await startAgent({
      dataDir,
      name,
      nodeKey,
      fleet,
      network,
      api: { host: config.api.host, port: config.api.port, ...(token === undefined ? {} : { token }) },
      ...(config.executors === undefined ? {} : { executors: config.executors }),
      logLevel,
    });
    await publishRunFile(dataDir, running.apiUrl);
    world.err(`${name} of fleet ${fleet.fleetName} is up. Dashboard: ${running.apiUrl}/\n`);
    await untilStopped(running, wish.wished);
    return 0;
  } finally {
    quit();
    await removeRunFile(dataDir);
  }
}

async function untilStopped(running: RunningAgent, wished: Promise<NodeJS.Signals>): Promise<void> {
  const first = await Promise.race([wished, running.stopped]);
  if (first !== undefined) await running.stop();
  await running.stopped;
}

interface StopWish {
  wished: Promise<NodeJS.Signals>;
  quit: () => void;
}

/** The first signal asks for an orderly stop; a second one, a moment later, ends the process where it stands. */
function stopWish(world: World, dataDir: string): StopWish {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
  let firstAtMs: number | undefined;
  // Started by a program over an IPC channel, as the demonstration does: the agent does not outlive it.
  process.once("disconnect", () => resolve("SIGTERM"));
  const quit = world.onInterrupt((signal) => {
    const nowMs = performance.now();
    if (firstAtMs === undefined) {
      firstAtMs = nowMs;
      world.err(`${signal}: stopping in order; once more ends it at once.\n`);
      resolve(signal);
    } else if (nowMs - firstAtMs >= SECOND_SIGNAL_MS) {
      removeRunFile(dataDir).finally(() => process.exit(AT_ONCE));
    }
  });
  return { wished: promise, quit };
}

function levelOf(text: string): LogLevel {
  const level = LEVELS.find((one) => one === text);
  if (level) return level;
  throw new SkeinError("BAD_REQUEST", { reason: `--log-level must be one of ${LEVELS.join(", ")}, not ${text}` });
}
