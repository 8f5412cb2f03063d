import type { NodeId } from "../../../shared/ids.ts";
import type { AgentEvent } from "../../../shared/routes.ts";
import { plural } from "../table.ts";
import type { LocalAgent } from "./local-fleet.ts";

/** What the agents say happened, gathered from all their event streams. Times are this machine's wall clock. */
export class Watch {
  /** The newest leader by term. */
  leader: NodeId | undefined;
  term = 0;
  /** Items recorded, by whoever said so first. */
  readonly recordedBy = new Map<number, NodeId>();
  /** How often each agent applied a record of each item: more than once is a broken promise. */
  readonly applied = new Map<string, Map<number, number>>();
  readonly leaders: { term: number; atMs: number; name: string }[] = [];
  readonly recordedAtMs: number[] = [];
  shardsTakenBack = 0;
  itemsTakenBack = 0;
  readonly #listeners = new Set<() => void>();
  readonly #tell: (line: string) => void;
  readonly #nameOf: (nodeId: NodeId) => string;
  readonly #aborts = new Map<string, AbortController>();

  constructor(tell: (line: string) => void, nameOf: (nodeId: NodeId) => string) {
    this.#tell = tell;
    this.#nameOf = nameOf;
  }

  /** Listens to one agent until it dies or `end` is called; from its first kept event on, so a restart is heard whole. */
  follow(agent: LocalAgent): void {
    const abort = new AbortController();
    this.#aborts.set(agent.name, abort);
    this.applied.set(agent.name, new Map());
    void this.#listen(agent, abort.signal);
  }

  end(): void {
    for (const abort of this.#aborts.values()) abort.abort();
  }

  /** Resolves when it holds; looked at after every event. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!holds()) return;
        this.#listeners.delete(look);
        resolve();
      };
      this.#listeners.add(look);
      look();
    });
  }

  async #listen(agent: LocalAgent, signal: AbortSignal): Promise<void> {
    try {
      for await (const event of agent.client.events({ since: 0, signal })) {
        this.#take(agent, event);
        for (const listener of [...this.#listeners]) listener();
      }
    } catch {
      // The agent was killed, which is the point of the exercise; what it had said stays.
    }
  }

  #take(agent: LocalAgent, { event, facts, atMs }: AgentEvent): void {
    if (event === "leaderChanged" && facts.leader) this.#takeLeader(facts, atMs);
    if (event === "resultRecorded") this.#takeRecord(agent, facts.item as number, facts.node as NodeId, atMs);
    if (event === "shardTakenBack") {
      this.shardsTakenBack++;
      this.itemsTakenBack += facts.items as number;
      this.#tell(`the leader takes ${plural(facts.items as number, "page")} back: ${facts.because}`);
    }
    if (event === "jobPlanned") this.#tell(`plan: ${facts.summary}`);
  }

  #takeLeader(facts: Record<string, unknown>, atMs: number): void {
    const term = facts.term as number;
    if (term <= this.term) return;
    this.term = term;
    this.leader = facts.leader as NodeId;
    const name = this.#nameOf(this.leader);
    this.leaders.push({ term, atMs, name });
    this.#tell(`${name} leads (term ${term})`);
  }

  #takeRecord(agent: LocalAgent, item: number, node: NodeId, atMs: number): void {
    const counts = this.applied.get(agent.name)!;
    counts.set(item, (counts.get(item) ?? 0) + 1);
    if (this.recordedBy.has(item)) return;
    this.recordedBy.set(item, node);
    this.recordedAtMs.push(atMs);
  }
}
