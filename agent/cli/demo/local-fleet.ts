import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { type Client, createClient } from "../../../shared/client.ts";
import { SkeinError } from "../../../shared/errors.ts";
import type { NodeId } from "../../../shared/ids.ts";
import { packageRoot } from "../package-root.ts";
import { readRunFile } from "../run-file.ts";
import { freePorts } from "./ports.ts";

/** One agent of the demonstration: a process of its own with a data folder of its own. */
export interface LocalAgent {
  readonly name: string;
  readonly dataDir: string;
  readonly logPath: string;
  readonly client: Client;
  nodeId: NodeId | undefined;
  process: ChildProcess | undefined;
}

const run = promisify(execFile);
const READY_MS = 60_000;
const ASK_MS = 100;
/** How long an agent may take to stop in order before it is killed. */
const STOP_MS = 5_000;

const skein = (args: string[]): string[] => [join(packageRoot(), "agent", "cli", "skein.js"), ...args];

/** Agents on this machine, set up and started with the same commands as on real boxes. */
export class LocalFleet {
  readonly agents: LocalAgent[] = [];
  readonly folder: string;
  readonly #executors: number;

  private constructor(folder: string, executors: number) {
    this.folder = folder;
    this.#executors = executors;
  }

  static async create(executors: number): Promise<LocalFleet> {
    return new LocalFleet(await mkdtemp(join(tmpdir(), "skein-demo-")), executors);
  }

  /** `skein init` for the first, `skein invite` and `skein join` for the others, `skein start` for each. */
  async raise(names: readonly [string, ...string[]], tell: (line: string) => void): Promise<void> {
    const [first, ...others] = names;
    const founder = await this.#prepare(first, (options) => ["init", "--fleet", "demo", ...options]);
    await this.start(founder);
    tell(`${first} made the fleet and runs as process ${founder.process?.pid}`);
    await this.waitFor(founder, async (agent) => (await agent.client.health()).hasLeader);
    await Promise.all(
      others.map(async (name) => {
        const { token } = await founder.client.invite({});
        const agent = await this.#prepare(name, (options) => ["join", token, ...options]);
        await this.start(agent);
        tell(`${name} was invited, joined, and runs as process ${agent.process?.pid}`);
      }),
    );
    await Promise.all(this.agents.map((agent) => this.waitFor(agent, isComplete(names.length))));
  }

  /** Starts its process and waits until its API answers. */
  async start(agent: LocalAgent): Promise<void> {
    const log = createWriteStream(agent.logPath, { flags: "a" });
    await once(log, "open");
    // The IPC channel is how an agent notices that the demonstration died: it then stops too.
    const child = spawn(process.execPath, ["--max-semi-space-size=8", ...skein(["start", "--data", agent.dataDir])], {
      stdio: ["ignore", log, log, "ipc"],
    });
    log.close();
    agent.process = child;
    child.once("exit", () => {
      if (agent.process === child) agent.process = undefined;
    });
    await this.waitFor(agent, async () => {
      agent.nodeId = (await agent.client.health()).nodeId;
      return true;
    });
  }

  /** SIGKILL, as a plug that is pulled: no goodbye. */
  async kill(agent: LocalAgent): Promise<void> {
    const child = agent.process;
    if (!child) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }

  /** Asks until it holds; an agent that does not answer yet is asked again. @throws DEADLINE_EXCEEDED with the agent's last words */
  async waitFor(agent: LocalAgent, holds: (agent: LocalAgent) => Promise<boolean>): Promise<void> {
    const endsAtMs = performance.now() + READY_MS;
    while (performance.now() < endsAtMs) {
      if (!agent.process) throw await this.#died(agent);
      if (await holds(agent).catch(isPassing)) return;
      await sleep(ASK_MS);
    }
    throw new SkeinError("DEADLINE_EXCEEDED", { what: `${agent.name} (log: ${agent.logPath})`, deadlineMs: READY_MS });
  }

  /** Stops what runs and removes every file. */
  async end(): Promise<void> {
    await Promise.all(
      this.agents.map(async (agent) => {
        const child = agent.process;
        if (!child) return endRevived(agent);
        const exited = once(child, "exit");
        child.kill("SIGTERM");
        const patience = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
        await exited;
        clearTimeout(patience);
      }),
    );
    await rm(this.folder, { recursive: true, force: true });
  }

  async #prepare(name: string, command: (options: string[]) => string[]): Promise<LocalAgent> {
    const [port, apiPort] = await freePorts(2);
    const dataDir = join(this.folder, name);
    const options = ["--data", dataDir, "--name", name, "--port", `${port}`, "--api-port", `${apiPort}`];
    await run(process.execPath, skein(command([...options, "--executors", `${this.#executors}`])));
    const client = createClient({ url: `http://127.0.0.1:${apiPort}`, fetch });
    const logPath = join(this.folder, `${name}.log`);
    const agent: LocalAgent = { name, dataDir, logPath, client, nodeId: undefined, process: undefined };
    this.agents.push(agent);
    return agent;
  }

  async #died(agent: LocalAgent): Promise<SkeinError> {
    const lines = (await readFile(agent.logPath, "utf8")).trim().split("\n");
    return new SkeinError("INTERNAL", { reason: `${agent.name} stopped: ${lines.at(-1)}` });
  }
}

/** One that was killed in a drill and came back is no child of this process. */
async function endRevived({ dataDir }: LocalAgent): Promise<void> {
  const running = await readRunFile(dataDir);
  if (!running) return;
  process.kill(running.pid, "SIGTERM");
  const endsAtMs = performance.now() + STOP_MS;
  while (await readRunFile(dataDir)) {
    if (performance.now() > endsAtMs) return void process.kill(running.pid, "SIGKILL");
    await sleep(ASK_MS);
  }
}

/** Every node is a voter, is heard of, and is ready to compute. */
const isComplete =
  (count: number) =>
  async ({ client }: LocalAgent): Promise<boolean> => {
    const { nodes, leader } = await client.fleet();
    const isReady = nodes.every(
      ({ role, presence, report }) => role === "voter" && presence === "fresh" && report?.rates[0],
    );
    return leader !== undefined && nodes.length === count && isReady;
  };

/** Not up yet, or between two leaders. */
function isPassing(error: unknown): false {
  const { code } = SkeinError.from(error);
  if (code === "AGENT_UNREACHABLE" || code === "NO_LEADER" || code === "DEADLINE_EXCEEDED") return false;
  throw error;
}
