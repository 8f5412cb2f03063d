import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { SkeinError } from "../../shared/errors.ts";
import { type RunningAgent, startAgent } from "../main.ts";
import type { LogLevel } from "../ports/index.ts";
import { markLeft, readHome } from "./home.ts";
import { type CommonOptions, dataDirOf, tokenOf } from "./options.ts";
import { claimRunFile, publishRunFile, removeRunFile } from "./run-file.ts";
import { stopWish } from "./stop-wish.ts";
import type { World } from "./world.ts";

export interface StartOptions extends CommonOptions {
  logLevel?: string;
  operators?: string;
}

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

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
    const wish = stopWish(world);
    quit = wish.quit;
    const running = await startAgent({
      dataDir,
      name,
      part: config.part ?? "full",
      nodeKey,
      fleet,
      network,
      api: { host: config.api.host, port: config.api.port, ...(token === undefined ? {} : { token }) },
      ...(config.executors === undefined ? {} : { executors: config.executors }),
      ...(options.operators === undefined ? {} : { operatorsFolder: await folderOf(options.operators) }),
      logLevel,
      onLeft: () => markLeft(dataDir, fleet.fleetName),
    });
    await publishRunFile(dataDir, running.apiUrl);
    world.err(`${name} of fleet ${fleet.fleetName} is up. Dashboard: ${running.apiUrl}/\n`);
    if (running.runsNothing) world.err(`${name} ${running.runsNothing}.\n`);
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

/** A folder that was named must be there, else its operators would be missing without a word. @throws FOLDER_MISSING */
async function folderOf(path: string): Promise<string> {
  const folder = resolve(path);
  const kind = await stat(folder).catch(() => undefined);
  if (!kind?.isDirectory()) throw new SkeinError("FOLDER_MISSING", { path });
  return folder;
}

function levelOf(text: string): LogLevel {
  const level = LEVELS.find((one) => one === text);
  if (level) return level;
  throw new SkeinError("BAD_REQUEST", { reason: `--log-level must be one of ${LEVELS.join(", ")}, not ${text}` });
}
