/**
 * A LAN on this machine: a switch and boxes, each in a network namespace of its own, joined by veth cables that can be
 * pulled. The boxes' APIs are reached over a second cable each, straight to this namespace, which stays in. Needs root.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);
const ip = async (...args: string[]): Promise<string> => (await run("ip", args)).stdout;
const PREFIX = "skein-t";
const BRIDGE = "bridge0";

export interface Box {
  namespace: string;
  /** Goes before a command to run it there. */
  prefix: string[];
  /** Its address on the LAN. */
  host: string;
  /** Its address on the cable to this process. */
  apiHost: string;
}

export class Lan {
  readonly #id = process.pid.toString(36);
  readonly #boxes = new Map<string, Box & { port: string }>();

  /** Why there can be no LAN here; undefined if there can. */
  static async whyNot(): Promise<string | undefined> {
    if (process.getuid?.() !== 0) return "network namespaces need root";
    const probe = `${PREFIX}-${process.pid.toString(36)}-probe`;
    try {
      await ip("netns", "add", probe);
      await ip("-n", probe, "link", "add", "name", BRIDGE, "type", "bridge");
      await ip("-n", probe, "link", "add", "end0", "type", "veth", "peer", "name", "end1");
      return undefined;
    } catch (error) {
      return `network namespaces cannot be made here: ${(error as Error).message.trim()}`;
    } finally {
      await ip("netns", "del", probe).catch(() => {
        // It was never made; the reason is on its way to the caller.
      });
    }
  }

  static async create(): Promise<Lan> {
    await removeLeftovers();
    const lan = new Lan();
    await ip("netns", "add", lan.#switch);
    await ip("-n", lan.#switch, "link", "add", "name", BRIDGE, "type", "bridge");
    await ip("-n", lan.#switch, "link", "set", BRIDGE, "up");
    return lan;
  }

  get #switch(): string {
    return `${PREFIX}-${this.#id}-switch`;
  }

  /** Its address on the LAN. */
  hostOf(name: string): string {
    return this.#boxes.get(name)!.host;
  }

  async box(name: string): Promise<Box> {
    const n = this.#boxes.size + 1;
    const namespace = `${PREFIX}-${this.#id}-${n}`;
    const port = `port${n}`;
    const cable = `sk${this.#id}a${n}`;
    const { here, there } = apiCable(n);
    const host = `10.77.0.${n}`;
    const box = { namespace, prefix: ["ip", "netns", "exec", namespace], host, apiHost: there, port };
    this.#boxes.set(name, box);
    await ip("netns", "add", namespace);
    await ip("-n", namespace, "link", "set", "lo", "up");
    await ip("-n", this.#switch, "link", "add", port, "type", "veth", "peer", "name", "lan", "netns", namespace);
    await ip("-n", this.#switch, "link", "set", port, "master", BRIDGE, "up");
    await ip("-n", namespace, "addr", "add", `${host}/24`, "brd", "+", "dev", "lan");
    await ip("-n", namespace, "link", "set", "lan", "up");
    await ip("link", "add", cable, "type", "veth", "peer", "name", "api", "netns", namespace);
    await ip("addr", "add", `${here}/30`, "dev", cable);
    await ip("link", "set", cable, "up");
    await ip("-n", namespace, "addr", "add", `${there}/30`, "dev", "api");
    await ip("-n", namespace, "link", "set", "api", "up");
    return box;
  }

  /** Pulls the cable at the switch: the box loses its carrier, and no FIN is sent to anyone. */
  async unplug(name: string): Promise<void> {
    await ip("-n", this.#switch, "link", "set", this.#boxes.get(name)!.port, "down");
  }

  async plug(name: string): Promise<void> {
    await ip("-n", this.#switch, "link", "set", this.#boxes.get(name)!.port, "up");
  }

  /** The cables go with the namespaces. Whatever runs in them must have ended. */
  async remove(): Promise<void> {
    for (const { namespace } of this.#boxes.values()) await ip("netns", "del", namespace);
    await ip("netns", "del", this.#switch);
  }
}

/** 198.18.0.0/15 is set aside for tests of networks (RFC 2544): 64 addresses for each run, four for each cable. */
function apiCable(n: number): { here: string; there: string } {
  const base = (process.pid % 2048) * 64 + 4 * n;
  const at = (offset: number): string =>
    `198.${18 + ((base + offset) >> 16)}.${((base + offset) >> 8) & 255}.${(base + offset) & 255}`;
  return { here: at(1), there: at(2) };
}

/** Of a run that was killed before it could clear up. */
async function removeLeftovers(): Promise<void> {
  for (const line of (await ip("netns", "list")).split("\n")) {
    const [name = ""] = line.split(" ");
    const pid = Number.parseInt(name.match(new RegExp(`^${PREFIX}-([0-9a-z]+)-`))?.[1] ?? "", 36);
    if (Number.isInteger(pid) && pid !== process.pid && !isAlive(pid)) await ip("netns", "del", name);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
