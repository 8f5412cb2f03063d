import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { multiaddr } from "@multiformats/multiaddr";
import { isNodeId, type NodeId } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { Telemetry } from "../../ports/index.ts";

const FILE_VERSION = 1;
/** `/ip4/10.0.0.7/tcp/7400`, ip6 or a DNS name; nothing after the port. */
const DIALABLE = /^\/(ip4|ip6|dns|dns4|dns6)\/[^/]+\/tcp\/\d{1,5}$/;

/** An address as this room keeps it: without `/p2p`, TCP only. Undefined if it is not one. */
export function dialable(address: string): string | undefined {
  const bare = address.replace(/\/p2p\/[^/]+$/, "");
  if (bare.length > LIMITS.nameBytesMax || !DIALABLE.test(bare)) return undefined;
  try {
    return multiaddr(bare).toString();
  } catch {
    // A peer may say anything; what is no multiaddr is no address.
    return undefined;
  }
}

export const dialables = (addresses: readonly string[]): string[] =>
  addresses.slice(0, LIMITS.addressesPerNodeMax).flatMap((address) => dialable(address) ?? []);

/**
 * Where peers may be found, best guess first: where one answered last, what its beacon says, what it said itself, what the
 * roster says. What worked is kept in a file, so that a fleet whose roster went stale while it was off still meets.
 */
export class AddressBook {
  readonly #file: string | undefined;
  readonly #telemetry: Telemetry;
  readonly #lastGood = new Map<NodeId, string>();
  readonly #beacon = new Map<NodeId, string[]>();
  readonly #said = new Map<NodeId, string[]>();
  #roster: ReadonlyMap<NodeId, string[]> = new Map();

  constructor(file: string | undefined, telemetry: Telemetry) {
    this.#file = file;
    this.#telemetry = telemetry;
    if (file) this.#load(file);
  }

  addresses(peer: NodeId): string[] {
    const good = this.#lastGood.get(peer);
    const all = [
      ...(this.#beacon.get(peer)?.slice(0, 1) ?? []),
      ...(good ? [good] : []),
      ...(this.#beacon.get(peer) ?? []),
      ...(this.#said.get(peer) ?? []),
      ...(this.#roster.get(peer) ?? []),
    ];
    return [...new Set(all)].slice(0, LIMITS.addressesPerNodeMax);
  }

  admit(roster: ReadonlyMap<NodeId, string[]>): void {
    this.#roster = roster;
  }

  beaconHeard(peer: NodeId, addresses: string[]): void {
    this.#beacon.set(peer, addresses);
  }

  /** `dialled`: the address that led to the peer, if it was us who dialled. */
  reached(peer: NodeId, said: string[], dialled?: string): void {
    const before = JSON.stringify([this.#lastGood.get(peer), this.#said.get(peer)]);
    this.#said.set(peer, said);
    if (dialled) this.#lastGood.set(peer, dialled);
    if (JSON.stringify([this.#lastGood.get(peer), said]) !== before) this.#save();
  }

  /** A file that is missing or damaged costs nothing but the memory of addresses. */
  #load(file: string): void {
    try {
      const { version, nodes } = JSON.parse(readFileSync(file, "utf8")) as { version: unknown; nodes: object };
      if (version !== FILE_VERSION) throw new Error(`version ${version} is unknown`);
      for (const [peer, addresses] of Object.entries(nodes ?? {}))
        if (isNodeId(peer) && Array.isArray(addresses)) this.#said.set(peer, dialables(addresses.map(String)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT")
        this.#telemetry.log("warn", "lastKnownAddressesUnreadable", { file, reason: String(error) });
    }
  }

  /** Not fsynced and small: it only saves a search, and it changes when a peer moves, not in steady running. */
  #save(): void {
    if (!this.#file) return;
    const peers = [...this.#roster.keys()].filter((peer) => this.#lastGood.has(peer) || this.#said.has(peer));
    const nodes = Object.fromEntries(
      peers.map((peer) => {
        const good = this.#lastGood.get(peer);
        return [peer, [...new Set([...(good ? [good] : []), ...(this.#said.get(peer) ?? [])])]];
      }),
    );
    try {
      writeFileSync(`${this.#file}.new`, JSON.stringify({ version: FILE_VERSION, nodes }), { mode: 0o600 });
      renameSync(`${this.#file}.new`, this.#file);
    } catch (error) {
      this.#telemetry.log("warn", "lastKnownAddressesNotKept", { file: this.#file, reason: String(error) });
    }
  }
}
