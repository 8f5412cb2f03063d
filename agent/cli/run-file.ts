/** agent.run.json: that an agent runs on a data folder, and where its API is. Also what keeps a second one off. */
import { readFileSync } from "node:fs";
import { link, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { SkeinError } from "../../shared/errors.ts";
import { writeWhole } from "./files.ts";

export interface RunFile {
  pid: number;
  /** Tells this process from a later one with the same pid, after a reboot too. */
  processMark: string;
  /** Absent until the API listens. */
  apiUrl?: string;
}

const pathIn = (dataDir: string): string => join(dataDir, "agent.run.json");

/** The agent that runs on this folder now; undefined if none does, whatever an earlier one left behind. */
export async function readRunFile(dataDir: string): Promise<RunFile | undefined> {
  let file: Partial<RunFile>;
  try {
    file = JSON.parse(await readFile(pathIn(dataDir), "utf8")) as Partial<RunFile>;
  } catch {
    // Not there, not ours to read, or cut off by an agent of an age without atomic writes: no agent that we can name.
    return undefined;
  }
  if (typeof file.pid !== "number" || typeof file.processMark !== "string") return undefined;
  const isAlive = processMark(file.pid) === file.processMark;
  return isAlive ? (file as RunFile) : undefined;
}

/** Takes the folder for this process. @throws AGENT_RUNNING */
export async function claimRunFile(dataDir: string): Promise<void> {
  const path = pathIn(dataDir);
  const claim = `${path}.${process.pid}.claim`;
  await writeWhole(claim, asText({ pid: process.pid, processMark: processMark(process.pid) ?? "" }));
  try {
    // A link fails if the name is taken, so of two agents that start at once one wins. (Should both clear the same stale
    // file in the same instant, the journal's own lock still lets only one of them in.)
    for (let attempt = 0; attempt < 2; attempt++) {
      if (await linked(claim, path)) return;
      const running = await readRunFile(dataDir);
      if (running) throw new SkeinError("AGENT_RUNNING", { data: dataDir, pid: running.pid });
      await rm(path, { force: true });
    }
    throw new SkeinError("AGENT_RUNNING", { data: dataDir, pid: "unknown" });
  } finally {
    await rm(claim, { force: true });
  }
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Tells where the API of this process is. */
export async function publishRunFile(dataDir: string, apiUrl: string): Promise<void> {
  await writeWhole(pathIn(dataDir), asText({ pid: process.pid, processMark: processMark(process.pid) ?? "", apiUrl }));
}

export async function removeRunFile(dataDir: string): Promise<void> {
  await rm(pathIn(dataDir), { force: true });
}

const asText = (file: RunFile): string => `${JSON.stringify(file, null, 2)}\n`;

/**
 * The boot and the clock tick a process started at (proc(5), field 22 of stat); where there is no /proc, that it is alive.
 * Undefined if there is no such process.
 */
export function processMark(pid: number): string | undefined {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold spaces, so fields are counted from its end.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const isDead = fields[0] === "Z" || fields[0] === "X";
    return isDead ? undefined : `${boot}:${fields[19]}`;
  } catch {
    return process.platform === "linux" ? undefined : aliveMark(pid);
  }
}

function aliveMark(pid: number): string | undefined {
  try {
    process.kill(pid, 0);
    return "alive";
  } catch {
    return undefined;
  }
}
