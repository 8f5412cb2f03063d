import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, createClient } from "../../shared/client.ts";
import type { BlobHash, NodeId } from "../../shared/ids.ts";
import type { AgentEvent } from "../../shared/routes.ts";
import { readSmall } from "../support/small-blobs.ts";

export const SKEIN = new URL("../../agent/cli/skein.js", import.meta.url).pathname;
const LOG_LINES_SHOWN = 60;
/** Between two tries to hear an agent that does not answer yet. */
const HEAR_AGAIN_MS = 50;

export interface Said {
  exitCode: number;
  out: string;
  err: string;
}

/** What the test runner sets for itself would change what the agents do. */
export const cleanEnvironment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(NODE_OPTIONS|VITEST|SKEIN_)/.test(name)));

/** Runs one command of the real CLI to its end; `prefix` puts another program before it (`ip netns exec ...`). */
export function runSkein(args: readonly string[], prefix: readonly string[] = []): Promise<Said> {
  const [program, ...rest] = [...prefix, process.execPath, SKEIN, ...args] as [string, ...string[]];
  return new Promise((resolve, reject) => {
    const options = { env: cleanEnvironment(), maxBuffer: 64 * 1024 * 1024 };
    execFile(program, rest, options, (error, out, err) => {
      if (error && typeof error.code !== "number") reject(error);
      else resolve({ exitCode: error ? Number(error.code) : 0, out, err });
    });
  });
}

export interface RealAgentInit {
  name: string;
  dataDir: string;
  logPath: string;
  apiUrl: string;
  token?: string;
  /** Goes before every command of this agent's box. */
  prefix: readonly string[];
  /** Called for each event of any of its lives. */
  onEvent(): void;
}

/** Everything one process of an agent said happened, from its first event to its death. */
export interface Life {
  events: AgentEvent[];
  isOver: boolean;
}

/** An agent as a process of its own, with all it says. */
export class RealAgent {
  readonly name: string;
  readonly dataDir: string;
  readonly logPath: string;
  readonly client: Client;
  readonly prefix: readonly string[];
  readonly lives: Life[] = [];
  nodeId = "" as NodeId;
  readonly #init: RealAgentInit;
  #process: ChildProcess | undefined;
  #freezer: ChildProcess | undefined;

  constructor(init: RealAgentInit) {
    this.#init = init;
    const { name, dataDir, logPath, prefix, apiUrl, token } = init;
    this.name = name;
    this.dataDir = dataDir;
    this.logPath = logPath;
    this.prefix = prefix;
    this.client = createClient({ url: apiUrl, fetch, ...(token === undefined ? {} : { token }) });
  }

  /** Another client of the same API: with a patience of its own. */
  clientWith(deadlineMs: number): Client {
    const { apiUrl, token } = this.#init;
    return createClient({ url: apiUrl, fetch, deadlineMs, ...(token === undefined ? {} : { token }) });
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get isRunning(): boolean {
    return this.#process !== undefined;
  }

  /** A CLI command on this agent's box, on its data folder. */
  skein(...args: string[]): Promise<Said> {
    const token = this.#init.token === undefined ? [] : ["--token", this.#init.token];
    return runSkein([...args, "--data", this.dataDir, ...token], this.prefix);
  }

  /** A new process; returns at once. Whoever needs more waits for what it says. */
  async start(): Promise<void> {
    const log = createWriteStream(this.logPath, { flags: "a" });
    await once(log, "open");
    const command = [...this.prefix, process.execPath, SKEIN, "start", "--data", this.dataDir, "--log-level", "debug"];
    // Over the IPC channel an agent notices that the tests died, and then stops too.
    const child = spawn(command[0]!, command.slice(1), {
      stdio: ["ignore", log, log, "ipc"],
      env: cleanEnvironment(),
    });
    log.close();
    const life: Life = { events: [], isOver: false };
    this.lives.push(life);
    this.#process = child;
    child.once("exit", () => {
      life.isOver = true;
      if (this.#process === child) this.#process = undefined;
      this.#init.onEvent();
    });
    void this.#listen(life);
  }

  /** SIGKILL: a plug that is pulled, no goodbye. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** In order, as Ctrl-C or systemd would. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /**
   * SIGSTOP: the box hangs, its connections stay. The shell that does it waits on a pipe from here and lets the agent go on
   * when the pipe closes, so that no agent stays frozen when the tests are killed.
   */
  async freeze(): Promise<void> {
    const script = 'kill -STOP "$1"; echo frozen; read -r _; kill -CONT "$1"';
    this.#freezer = spawn("sh", ["-c", script, "freezer", `${this.pid}`], { stdio: ["pipe", "pipe", "ignore"] });
    await once(this.#freezer.stdout!, "data");
  }

  /** SIGCONT. */
  async thaw(): Promise<void> {
    const freezer = this.#freezer;
    if (!freezer) return;
    this.#freezer = undefined;
    const exited = once(freezer, "exit");
    freezer.stdin!.end();
    await exited;
  }

  /** For the test process's own end, when nothing can be awaited any more. */
  killNow(): void {
    this.#process?.kill("SIGKILL");
  }

  /** What it said in this life, or in its last one. */
  get events(): readonly AgentEvent[] {
    return this.lives.at(-1)?.events ?? [];
  }

  async logTail(): Promise<string> {
    const lines = (await readFile(this.logPath, "utf8").catch(() => "")).trimEnd().split("\n");
    const told = lines.filter((line) => !line.includes('"level":"debug"'));
    return told.slice(-LOG_LINES_SHOWN).join("\n");
  }

  async #end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const child = this.#process;
    if (!child) return;
    await this.thaw();
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }

  /** From its first event on, and again from the last one heard when the stream breaks. */
  async #listen(life: Life): Promise<void> {
    while (!life.isOver) {
      try {
        for await (const event of this.client.events({ since: life.events.at(-1)?.id ?? 0 })) {
          if (life.isOver) return;
          life.events.push(event);
          this.#init.onEvent();
        }
      } catch {
        // Not up yet, frozen, or gone: the loop's condition tells which.
      }
      await sleep(HEAR_AGAIN_MS);
    }
  }
}

/** The file under which an agent keeps a large blob. */
export const blobFile = (agent: RealAgent, hash: string): string =>
  join(agent.dataDir, "blobs", hash.slice(0, 2), hash);

/** Which of these blobs are on an agent's disk and match their hash, whatever it says itself. */
export async function soundOnDisk(agent: RealAgent, hashes: readonly BlobHash[]): Promise<Set<BlobHash>> {
  const small = await readSmall(join(agent.dataDir, "blobs"), hashes).catch(() => new Map<BlobHash, Uint8Array>());
  const sound = new Set<BlobHash>();
  for (const hash of hashes) {
    const bytes = small.get(hash) ?? (await readFile(blobFile(agent, hash)).catch(() => undefined));
    if (bytes && createHash("sha256").update(bytes).digest("hex") === hash) sound.add(hash);
  }
  return sound;
}
