import type { LinkSpeed } from "../../shared/capacity.ts";
import { SkeinError } from "../../shared/errors.ts";
import type { NodeId } from "../../shared/ids.ts";
import { LIMITS, TIMING } from "../../shared/limits.ts";
import type { Cancel } from "../ports/index.ts";
import type { Peers } from "./peers.ts";
import type { Surroundings } from "./surroundings.ts";

/** Weight of a new figure: what is faster than was believed was certainly possible; what is slower may be a busy disk. */
const FASTER_WEIGHT = 0.5;
const SLOWER_WEIGHT = 0.15;
/** A stretch of transfer tells something from so many bytes on; a long one is told piece by piece, each of this time at least. */
const STRETCH_BYTES_MIN = 256 * 1024;
const STRETCH_MS = 1_000;
/** Questions in a row: the first is small, so that a slow link is not held for long; TCP is up to speed at the last. */
const PROBE_BYTES: readonly number[] = [32 * 1024, LIMITS.speedBytesMax, LIMITS.speedBytesMax];
/** A link that takes longer for one of them is known well enough. */
const PROBE_ENOUGH_MS = 250;
const PROBE_DEADLINE_MS = 5_000;

export interface LinkSpeedsInit {
  peers: Peers;
  itemsQueued: () => number;
  /** Of the fleet, this one included. */
  nodes: () => number;
  onChange: () => void;
}

interface Known {
  bytesPerSecond: number;
  from: "transfers" | "probe";
  atMs: number;
}

/** Bytes that come from one peer, by however many transfers at once. */
interface Stretch {
  transfers: number;
  bytes: number;
  sinceMs: number;
}

/**
 * How fast bytes come from each peer, disks and encryption included: seen on blobs as they are fetched, and asked for once
 * where nothing is known, when neither side works.
 */
export class LinkSpeeds {
  readonly #world: Surroundings;
  readonly #init: LinkSpeedsInit;
  readonly #known = new Map<NodeId, Known>();
  readonly #stretches = new Map<NodeId, Stretch>();
  /** Up, nothing known, and not asked since it came up. */
  readonly #unasked = new Set<NodeId>();
  #isAsking = false;
  #looking: Cancel = () => {};

  constructor(world: Surroundings, init: LinkSpeedsInit) {
    this.#world = world;
    this.#init = init;
    world.network.onLink(({ nodeId, state }) => {
      if (state === "down") this.#unasked.delete(nodeId);
      else if (state === "up" && !this.#known.has(nodeId)) this.#unasked.add(nodeId);
    });
    init.peers.answer("speed", async (_from, { bytes }) => this.#answer(bytes));
  }

  start(): void {
    this.#looking = this.#world.clock.every(TIMING.linkSpeedLookMs, () => void this.#look());
  }

  stop(): void {
    this.#looking();
  }

  /** The newest figures. */
  links(): LinkSpeed[] {
    return [...this.#known]
      .sort(([, a], [, b]) => b.atMs - a.atMs)
      .slice(0, LIMITS.linksReportedMax)
      .map(([nodeId, { bytesPerSecond }]) => ({ nodeId, bytesPerSecond: Math.round(bytesPerSecond) }));
  }

  of(nodeId: NodeId): Omit<Known, "atMs"> | undefined {
    const known = this.#known.get(nodeId);
    return known && { bytesPerSecond: Math.round(known.bytesPerSecond), from: known.from };
  }

  /** Those that left the fleet are forgotten. */
  keepOnly(nodes: ReadonlySet<NodeId>): void {
    for (const nodeId of this.#known.keys()) if (!nodes.has(nodeId)) this.#known.delete(nodeId);
  }

  /** The same chunks, counted. */
  async *metered(from: NodeId, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const stretch = this.#stretches.get(from) ?? { transfers: 0, bytes: 0, sinceMs: this.#nowMs() };
    this.#stretches.set(from, stretch);
    stretch.transfers++;
    try {
      for await (const chunk of chunks) {
        stretch.bytes += chunk.byteLength;
        if (this.#nowMs() - stretch.sinceMs >= STRETCH_MS && stretch.bytes >= STRETCH_BYTES_MIN)
          this.#end(from, stretch);
        yield chunk;
      }
    } finally {
      stretch.transfers--;
      if (stretch.transfers === 0) {
        this.#end(from, stretch);
        this.#stretches.delete(from);
      }
    }
  }

  #end(from: NodeId, stretch: Stretch): void {
    const elapsedMs = this.#nowMs() - stretch.sinceMs;
    if (stretch.bytes >= STRETCH_BYTES_MIN && elapsedMs > 0)
      this.#learn(from, (1_000 * stretch.bytes) / elapsedMs, "transfers");
    stretch.bytes = 0;
    stretch.sinceMs = this.#nowMs();
  }

  #learn(from: NodeId, bytesPerSecond: number, how: Known["from"]): void {
    const before = this.#known.get(from)?.bytesPerSecond;
    const weight = before === undefined ? 1 : bytesPerSecond > before ? FASTER_WEIGHT : SLOWER_WEIGHT;
    const now = (before ?? 0) + weight * (bytesPerSecond - (before ?? 0));
    this.#known.set(from, { bytesPerSecond: now, from: how, atMs: this.#nowMs() });
    this.#unasked.delete(from);
    if (before === undefined) this.#init.onChange();
  }

  /** One peer at a time, so that two links are not measured through one cable. */
  async #look(): Promise<void> {
    const isTime = this.#init.itemsQueued() === 0 && this.#stretches.size === 0;
    if (this.#isAsking || !isTime || this.#init.nodes() > LIMITS.speedNodesMax) return;
    this.#isAsking = true;
    try {
      for (const peer of [...this.#unasked]) if (this.#init.itemsQueued() === 0) await this.#ask(peer);
    } finally {
      this.#isAsking = false;
    }
  }

  async #ask(peer: NodeId): Promise<void> {
    const { clock, network, telemetry } = this.#world;
    try {
      let bytesPerSecond = 0;
      for (const bytes of PROBE_BYTES) {
        const sentAtMs = clock.monotonicMs();
        const { payload } = await this.#init.peers.ask(peer, "speed", { bytes }, { deadlineMs: PROBE_DEADLINE_MS });
        if (payload.byteLength !== bytes)
          throw new SkeinError("FRAME_INVALID", {
            peer,
            reason: `${payload.byteLength} bytes, not the ${bytes} asked for`,
          });
        const elapsedMs = clock.monotonicMs() - sentAtMs;
        const rttMs = network.links().find(({ nodeId }) => nodeId === peer)?.rttMs ?? 0;
        // The way of the question is not the bytes'; but never believe that all of it was.
        const movingMs = Math.max(elapsedMs - rttMs, elapsedMs / 4);
        if (movingMs > 0) bytesPerSecond = Math.max(bytesPerSecond, (1_000 * bytes) / movingMs);
        if (elapsedMs >= PROBE_ENOUGH_MS) break;
      }
      if (bytesPerSecond > 0) this.#learn(peer, bytesPerSecond, "probe");
    } catch (error) {
      const { code, message } = SkeinError.from(error);
      // One that works is asked again when it does not; whoever cannot answer is not asked until its link comes anew.
      if (code !== "PEER_BUSY") this.#unasked.delete(peer);
      telemetry.log("debug", "linkUnmeasured", { peer, reason: message });
    }
  }

  /** @throws PEER_BUSY while this box works. */
  #answer(bytes: number): { payload: Uint8Array } {
    if (this.#init.itemsQueued() === 0) return { payload: new Uint8Array(bytes) };
    throw new SkeinError("PEER_BUSY", { peer: this.#world.network.self, reason: "it has work to do" });
  }

  #nowMs(): number {
    return this.#world.clock.monotonicMs();
  }
}
