/** Agents as real processes on this machine, set up and started with the real CLI, and the means to harm them. */
import { createHash, randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "../../agent/cli/demo/ports.ts";
import type { NodeView } from "../../shared/fleet.ts";
import type { JobId, NodeId } from "../../shared/ids.ts";
import type { Receipt } from "../../shared/job.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { AgentEvent } from "../../shared/routes.ts";
import type { Lan } from "./lan.ts";
import type { Page } from "./pages.ts";
import { RealAgent } from "./real-agent.ts";
import { Happenings, poll } from "./waiting.ts";

export interface RaiseOptions {
  /** Of each agent; default 1. */
  executors?: number;
  /** Puts each agent into a network namespace of its own; default: all on loopback. */
  lan?: Lan;
  /** Set on the founder before the others join. */
  settings?: Record<string, string>;
  /** Goes before the commands of a box, outside of its namespace, by the agent's name. */
  prefixes?: Record<string, string[]>;
  /** Data folders that are not in the fleet's own folder, by the agent's name. */
  dataDirs?: Record<string, string>;
}

const living = new Set<RealFleet>();
process.once("exit", () => {
  for (const fleet of living) fleet.killNow();
});

export class RealFleet {
  readonly agents: RealAgent[] = [];
  readonly folder: string;
  readonly #options: RaiseOptions;
  readonly #happenings = new Happenings();
  /** Options of `init` and `join` for each box. */
  readonly #setups = new Map<RealAgent, string[]>();
  /** Agents that are no members, but whose processes are this fleet's to end. */
  readonly #prepared: RealAgent[] = [];
  #isOver = false;

  private constructor(folder: string, options: RaiseOptions) {
    this.folder = folder;
    this.#options = options;
    living.add(this);
  }

  /** The first founds the fleet, the others are invited and join; resolves when all are voters, measured and fresh. */
  static async raise(names: readonly string[], options: RaiseOptions = {}): Promise<RealFleet> {
    const fleet = new RealFleet(await mkdtemp(join(tmpdir(), "skein-fleet-")), options);
    try {
      const founder = await fleet.add(names[0]!);
      for (const [name, value] of Object.entries(options.settings ?? {}))
        await founder.client.settingSet(name, { value });
      await Promise.all(names.slice(1).map(async (name) => fleet.add(name, founder)));
      fleet.agents.sort((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
      await fleet.whole();
      return fleet;
    } catch (error) {
      const logs = await fleet.logs();
      await fleet.end();
      throw new Error(`the fleet could not be raised: ${(error as Error).message}\n${logs}`, { cause: error });
    }
  }

  /** One more box: `init` without an inviter, `invite` and `join` with one; started, and up when this resolves. */
  async add(name: string, inviter?: RealAgent, ...options: string[]): Promise<RealAgent> {
    const agent = await this.prepare(name);
    const command = inviter ? ["join", (await inviter.client.invite({})).token] : ["init", "--fleet", "test"];
    await this.setUp(agent, ...command, ...options);
    this.agents.push(agent);
    await this.start(agent);
    if (!inviter) await this.until("the founder leads", () => this.leaderIn(agent) === agent);
    return agent;
  }

  /** A box with a place on the network and a data folder, and nothing in it. */
  async prepare(name: string): Promise<RealAgent> {
    const { lan, dataDirs, prefixes } = this.#options;
    const box = await lan?.box(name);
    const [port, apiPort] = box ? [7400, 7401] : await freePorts(2);
    const token = box ? randomUUID() : undefined;
    const agent = new RealAgent({
      name,
      dataDir: dataDirs?.[name] ?? join(this.folder, name),
      logPath: join(this.folder, `${name}.log`),
      apiUrl: `http://${box?.apiHost ?? "127.0.0.1"}:${apiPort}`,
      prefix: [...(prefixes?.[name] ?? []), ...(box?.prefix ?? [])],
      ...(token === undefined ? {} : { token }),
      onEvent: () => this.#happenings.happened(),
    });
    const api = box ? ["--api-host", box.apiHost] : [];
    const host = box ? ["--host", box.host] : ["--host", "127.0.0.1", "--no-beacon"];
    this.#prepared.push(agent);
    this.#setups.set(agent, ["--name", name, "--port", `${port}`, ...host, "--api-port", `${apiPort}`, ...api]);
    return agent;
  }

  /** Runs `init` or `join TOKEN` on a prepared box. */
  async setUp(agent: RealAgent, ...command: string[]): Promise<void> {
    const executors = ["--executors", `${this.#options.executors ?? 1}`];
    const said = await agent.skein(...command, "--json", ...this.#setups.get(agent)!, ...executors);
    if (said.exitCode !== 0) throw new Error(`skein ${command[0]} for ${agent.name}: ${said.out}${said.err}`);
    agent.nodeId = (JSON.parse(said.out) as { nodeId: NodeId }).nodeId;
  }

  agent(nodeId: NodeId): RealAgent {
    const found = this.agents.find((agent) => agent.nodeId === nodeId);
    if (!found) throw new Error(`no agent of this test is ${nodeId}`);
    return found;
  }

  others(...but: RealAgent[]): RealAgent[] {
    return this.agents.filter((agent) => !but.includes(agent));
  }

  // ---- harm, and its end

  /** Starts its process; resolves when it answers. */
  async start(agent: RealAgent): Promise<void> {
    if (this.#isOver) throw new Error("the test has ended");
    await agent.start();
    await this.until(`${agent.name} answers`, () => this.#alive(agent).events.length > 0);
  }

  /** SIGKILL, and a new life; resolves when the others have a leader without it and it answers again. */
  async restart(agent: RealAgent): Promise<void> {
    await agent.kill();
    await this.leader(this.others(agent));
    await this.start(agent);
  }

  #alive(agent: RealAgent): RealAgent {
    if (!agent.isRunning) throw new Error(`${agent.name} has ended by itself`);
    return agent;
  }

  // ---- what is known

  /** The newest leader that this agent speaks of; undefined while it knows none, or one that is not of this test. */
  leaderIn(agent: RealAgent): RealAgent | undefined {
    const word = agent.events.findLast((event) => event.event === "leaderChanged");
    return this.agents.find((one) => one.nodeId === word?.facts.leader);
  }

  /** Resolves with the agent that all running agents (or `among`) take for the leader. */
  async leader(among?: readonly RealAgent[]): Promise<RealAgent> {
    const speakers = () => among ?? this.agents.filter((agent) => agent.isRunning);
    const agreed = (): RealAgent | undefined => {
      const leaders = new Set(speakers().map((agent) => this.leaderIn(agent)));
      const [leader] = leaders;
      return leaders.size === 1 && leader && speakers().includes(leader) ? leader : undefined;
    };
    await this.until("all agree on a leader", () => agreed() !== undefined);
    return agreed()!;
  }

  /** Every agent runs, knows the leader, is fresh and has measured itself, and as many vote as should, in everyone's view. */
  async whole(): Promise<void> {
    const { agents } = this;
    const seesAll = async ({ client }: RealAgent): Promise<boolean> => {
      const { nodes, leader } = await client.fleet();
      const isWhole = nodes.every((n) => n.presence === "fresh" && hasMeasured(n));
      const full = nodes.filter((n) => n.role !== "witness");
      const areSeated = full.filter((n) => n.role === "voter").length === this.#votersWanted(full.length, nodes.length);
      return leader !== undefined && nodes.length === agents.length && isWhole && areSeated;
    };
    await this.poll("the fleet is whole", async () => (await Promise.all(agents.map(seesAll))).every(Boolean));
    await this.leader();
  }

  /** Two boxes both vote; of more an odd number does, or any number with a witness. */
  #votersWanted(full: number, nodes: number): number {
    const most = Math.min(full, Number(this.#options.settings?.votersMax ?? LIMITS.votersMax));
    return most <= 2 || most % 2 === 1 || nodes > full ? most : most - 1;
  }

  /** Resolves when it holds; looked at after every event of any agent. */
  until(what: string | (() => string), holds: () => boolean): Promise<void> {
    return this.#happenings.until(what, holds);
  }

  /** Asks until it holds, for what no event tells. */
  poll(what: string, holds: () => Promise<boolean>): Promise<void> {
    return poll(what, holds);
  }

  /** A box that was taken out: ended, and no longer one of the agents of which things are expected. */
  async forget(agent: RealAgent): Promise<void> {
    await agent.kill();
    this.agents.splice(this.agents.indexOf(agent), 1);
  }

  // ---- work

  /** Uploads the pages to one agent and hands them in there. */
  async submit(agent: RealAgent, pages: readonly Page[], idempotencyKey: string = randomUUID()): Promise<JobId> {
    const distinct = new Map(pages.map((page) => [page.blob, page.bytes]));
    for (const [hash, bytes] of distinct) await agent.client.putBlob(hash, bytes);
    const inputs = pages.map(({ name, blob, bytes }) => ({ name, blob, bytes: bytes.length }));
    return (await agent.client.jobSubmit({ pipeline: "ocr", inputs, idempotencyKey })).jobId;
  }

  /** Items of a job that some agent knows to be recorded. */
  recorded(jobId: JobId): number {
    const items = this.agents
      .flatMap((agent) => agent.lives)
      .flatMap((life) => recordsOf(life.events, jobId).map((event) => event.facts.item as number));
    return new Set(items).size;
  }

  async recordedAtLeast(jobId: JobId, items: number): Promise<void> {
    await this.until(`${items} items of ${jobId} are recorded`, () => this.recorded(jobId) >= items);
  }

  /** Resolves when all of them (default: all agents) have applied the end of the job in this life. */
  async jobEnded(jobId: JobId, agents: readonly RealAgent[] = this.agents): Promise<void> {
    const waiting = () => agents.filter((agent) => !this.hasEnded(jobId, this.#alive(agent)));
    const names = () => waiting().map((agent) => agent.name);
    await this.until(
      () => `${jobId} has ended on ${names().join(", ")}`,
      () => waiting().length === 0,
    );
  }

  /** Whether this agent has applied the end of the job in its present or last life. */
  hasEnded(jobId: JobId, agent: RealAgent): boolean {
    return agent.events.some(({ event, facts }) => event === "jobEnded" && facts.jobId === jobId);
  }

  /** The bytes of every output by item, fetched through one agent, each checked against the hash it was recorded under. */
  async outputs(jobId: JobId, via: RealAgent): Promise<Map<number, Uint8Array>> {
    const { results } = await via.client.results(jobId);
    const outputs = new Map<number, Uint8Array>();
    for (const { item, output } of results) {
      if (!output) continue;
      const bytes = await via.client.getBlob(output);
      const actual = createHash("sha256").update(bytes).digest("hex");
      if (actual !== output) throw new Error(`${via.name} gave out ${actual} as ${output}`);
      outputs.set(item, bytes);
    }
    return outputs;
  }

  receipts(jobId: JobId): Promise<Receipt[]> {
    return Promise.all(this.agents.map((agent) => agent.client.receipt(jobId)));
  }

  // ---- the end

  /** For the test process's own end, when nothing can be awaited any more. */
  killNow(): void {
    for (const agent of this.#prepared) agent.killNow();
  }

  /** Also of fleets that were being raised when a hook ran out of time. */
  static async endAll(): Promise<void> {
    await Promise.all([...living].map((fleet) => fleet.end()));
  }

  /** The last words of every agent, for a failed test's report. */
  async logs(): Promise<string> {
    const tails = await Promise.all(
      this.agents.map(async (agent) => `---- ${agent.name} (${agent.nodeId})\n${await agent.logTail()}`),
    );
    return tails.join("\n");
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#prepared.map((agent) => agent.kill()));
    living.delete(this);
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** A box without executors has nothing to measure. */
const hasMeasured = ({ report }: NodeView): boolean => report?.executors === 0 || report?.rates[0] !== undefined;

export const recordsOf = (events: readonly AgentEvent[], jobId: JobId): AgentEvent[] =>
  events.filter(({ event, facts }) => event === "resultRecorded" && facts.jobId === jobId);
