/** A fleet of real networks in one process, on loopback. */
import { randomBytes } from "node:crypto";
import { createIdentity, createPeerNetwork, knock, type PeerNetworkInit } from "../../agent/io/network/index.ts";
import type { LogLevel, PeerNetwork, Telemetry } from "../../agent/ports/index.ts";
import type { FleetId } from "../../shared/ids.ts";
import { INVITE, type NetworkWorld } from "../contracts/network.ts";

export interface LogLine {
  level: LogLevel;
  event: string;
  facts: Record<string, unknown>;
}

export class LoggedTelemetry implements Telemetry {
  readonly lines: LogLine[] = [];

  log(level: LogLevel, event: string, facts: Record<string, unknown> = {}): void {
    this.lines.push({ level, event, facts });
  }

  has(event: string, facts: Record<string, unknown> = {}): boolean {
    return this.lines.some(
      (line) => line.event === event && Object.entries(facts).every(([name, value]) => line.facts[name] === value),
    );
  }
}

export interface RealMember {
  network: PeerNetwork;
  telemetry: LoggedTelemetry;
  init: PeerNetworkInit;
}

export async function until(condition: () => boolean, withinMs = 10_000): Promise<void> {
  const endMs = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`did not come true within ${withinMs} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export class RealWorld implements NetworkWorld {
  readonly members: RealMember[] = [];
  readonly fleetSecret = randomBytes(32).toString("hex");
  readonly fleetId = randomBytes(16).toString("hex") as FleetId;

  async add(change: Partial<PeerNetworkInit> = {}): Promise<RealMember> {
    const init: PeerNetworkInit = {
      nodeKey: (await createIdentity()).key,
      fleetSecret: this.fleetSecret,
      fleetId: this.fleetId,
      nodeName: `node-${this.members.length}`,
      listenPort: 0,
      listenHosts: ["127.0.0.1"],
      beacon: "off",
      ...change,
    };
    const telemetry = new LoggedTelemetry();
    const network = createPeerNetwork(init, { telemetry });
    await network.start();
    const member = { network, telemetry, init };
    this.members.push(member);
    return member;
  }

  async member(): Promise<PeerNetwork> {
    return (await this.add()).network;
  }

  /** In one process there is no SIGKILL; a stop that says no farewell closes the sockets just the same. */
  async kill(member: PeerNetwork): Promise<void> {
    await member.stop();
  }

  settle<T>(promise: Promise<T>): Promise<T> {
    return promise;
  }

  until(condition: () => boolean, withinMs?: number): Promise<void> {
    return until(condition, withinMs);
  }

  pass(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }

  async knock(addresses: string[], name: string, secret: string) {
    const { nodeId, key } = await createIdentity();
    return await knock({
      addresses,
      nodeKey: key,
      knock: { inviteId: INVITE, secret, nodeId, name, addresses: ["/ip4/10.0.0.9/tcp/7400"] },
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.members.map(({ network }) => network.stop()));
  }
}
