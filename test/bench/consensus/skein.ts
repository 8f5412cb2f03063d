/** Three agents on loopback, spoken to by their HTTP API over kept-alive connections. */
import { Agent, request } from "node:http";
import { type LocalAgent, LocalFleet } from "../../../agent/cli/demo/local-fleet.ts";
import type { Contender, Member } from "./contender.ts";

const NAMES = ["attic", "bench", "cellar"] as const;
const PUT_DEADLINE_MS = 10_000;

export class SkeinFleet implements Contender {
  readonly name = "skein";
  readonly members: SkeinMember[];
  readonly #fleet: LocalFleet;

  private constructor(fleet: LocalFleet) {
    this.#fleet = fleet;
    this.members = fleet.agents.map((agent) => new SkeinMember(fleet, agent));
  }

  static async raise(): Promise<SkeinFleet> {
    const fleet = await LocalFleet.create(1);
    await fleet.raise([...NAMES], () => {});
    await Promise.all(
      fleet.agents.map((agent) => fleet.waitFor(agent, async ({ client }) => (await client.health()).ok)),
    );
    return new SkeinFleet(fleet);
  }

  async leader(): Promise<Member> {
    for (;;) {
      for (const { client } of this.#fleet.agents) {
        const leader = await client.fleet().then(
          (view) => view.leader,
          () => undefined,
        );
        const at = this.#fleet.agents.findIndex(({ nodeId, process }) => process && nodeId === leader);
        if (at >= 0) return this.members[at]!;
      }
    }
  }

  async end(): Promise<void> {
    await this.#fleet.end();
  }
}

class SkeinMember implements Member {
  readonly #fleet: LocalFleet;
  readonly #agent: LocalAgent;
  readonly #connections = new Agent({ keepAlive: true });

  constructor(fleet: LocalFleet, agent: LocalAgent) {
    this.#fleet = fleet;
    this.#agent = agent;
  }

  put(key: string, value: string): Promise<void> {
    const body = JSON.stringify({ value });
    return new Promise((resolve, reject) => {
      const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
      const url = `${this.#agent.client.url}/v1/settings/${key}`;
      const sent = request(url, { method: "PUT", headers, agent: this.#connections, timeout: PUT_DEADLINE_MS });
      sent.on("response", (answer) => {
        answer.resume();
        answer.on("error", reject);
        answer.on("end", () =>
          answer.statusCode === 200 ? resolve() : reject(new Error(`HTTP status ${answer.statusCode}`)),
        );
      });
      sent.on("timeout", () => sent.destroy(new Error("no answer in time")));
      sent.on("error", reject);
      sent.end(body);
    });
  }

  kill(): Promise<void> {
    return this.#fleet.kill(this.#agent);
  }

  async start(): Promise<void> {
    await this.#fleet.start(this.#agent);
    await this.#fleet.waitFor(this.#agent, async ({ client }) => (await client.health()).ok);
  }
}
