import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { SkeinError } from "../../../shared/errors.ts";
import type { Faults } from "../../ports/index.ts";
import { childrenOf } from "./children.ts";
import { LIFELINE } from "./lifeline.ts";

export interface FaultsInit {
  /** Called when the rooms that ask for free space shall be told that there is none, and when no longer. */
  onDisk(isFull: boolean): void;
}

/** The second guard of a frozen process wakes it this much later, should the first have been killed. */
const SECOND_GUARD_MS = 1_000;
/** Exec keeps the sleeper's own process, so there is one more process in the box until the agent is back, and none after. */
const REVIVE = 'sleep "$1"; shift; exec "$@"';
/** Asleep until the process shall stand still, then until it shall go on. Every pid is this user's own. */
const FREEZE = 'begin=$1; hold=$2; shift 2; sleep "$begin"; kill -STOP "$@"; sleep "$hold"; kill -CONT "$@"';
const WAKE = 'sleep "$1"; shift; kill -CONT "$@"';

export const createFaults = (init: FaultsInit): Faults => new OwnFaults(init);

class OwnFaults implements Faults {
  readonly #init: FaultsInit;

  constructor(init: FaultsInit) {
    this.#init = init;
  }

  async kill(inMs: number, forMs: number): Promise<string> {
    const isKept = isKeptBySystemd();
    if (!isKept) await this.#leaveReviver(inMs + forMs);
    setTimeout(() => process.kill(process.pid, "SIGKILL"), inMs);
    return isKept ? "systemd starts it again in its own time" : `a process it left behind starts it after ${forMs} ms`;
  }

  async freeze(inMs: number, forMs: number): Promise<string> {
    // Before the guards are children themselves.
    const pids = [...(await childrenOf(process.pid)), process.pid].map(String);
    await leave(WAKE, [seconds(inMs + forMs + SECOND_GUARD_MS), ...pids], "ignore");
    await leave(FREEZE, [seconds(inMs), seconds(forMs), ...pids], "ignore");
    return `${pids.length} processes stand still, and two others wake them after ${forMs} ms`;
  }

  fillDisk(isFull: boolean): void {
    this.#init.onDisk(isFull);
  }

  /** With the same words, in the same folder, to the same log. */
  #leaveReviver(delayMs: number): Promise<void> {
    const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
    // A channel to a parent cannot be handed on; that parent's life can be watched.
    const lifeline = process.channel ? { [LIFELINE]: String(process.ppid) } : {};
    return leave(REVIVE, [seconds(delayMs), ...command], "inherit", lifeline);
  }
}

const seconds = (ms: number): string => (ms / 1_000).toFixed(3);

/** A process of its own group, so that what ends this one does not end it. @throws DRILL_REFUSED */
async function leave(
  script: string,
  args: string[],
  output: "ignore" | "inherit",
  env: Record<string, string> = {},
): Promise<void> {
  const child: ChildProcess = spawn("/bin/sh", ["-c", script, "skein-drill", ...args], {
    detached: true,
    stdio: ["ignore", output, output],
    env: { ...process.env, ...env },
  });
  try {
    await once(child, "spawn");
  } catch (error) {
    const reason = `what ends the fault could not be started (${(error as Error).message})`;
    throw new SkeinError("DRILL_REFUSED", { reason }, { cause: error });
  }
  child.unref();
}

/** systemd.exec(5): the process that a unit started, or its child; shells under systemd inherit the variable alone. */
function isKeptBySystemd(): boolean {
  const { SYSTEMD_EXEC_PID, INVOCATION_ID } = process.env;
  if (SYSTEMD_EXEC_PID !== undefined) return [process.pid, process.ppid].includes(Number(SYSTEMD_EXEC_PID));
  return INVOCATION_ID !== undefined && process.ppid === 1;
}
