import type { NodeId } from "../../../shared/ids.ts";
import { TIMING } from "../../../shared/limits.ts";

export interface DiallerInit {
  self: NodeId;
  addresses(peer: NodeId): string[];
  /** A connection exists or is being negotiated. */
  isConnecting(peer: NodeId): boolean;
  /** Resolves when a connection stands; rejects with the reason why not. */
  dial(peer: NodeId, addresses: string[], signal: AbortSignal): Promise<void>;
  onFailed(peer: NodeId, error: unknown): void;
}

interface Search {
  attempts: number;
  timer?: NodeJS.Timeout;
  dialling?: AbortController;
  sightedAtMs?: number;
}

/** The box with the higher id leaves the first moves to the other, so that two boxes seldom dial each other at once. */
const HIGHER_ID_FIRST_MS = 400;
const HIGHER_ID_NEXT_MS = 2_000;

/** Looks for every peer that is wanted and not connected, for ever. */
export class Dialler {
  readonly #init: DiallerInit;
  readonly #searches = new Map<NodeId, Search>();
  #stopped = false;

  constructor(init: DiallerInit) {
    this.#init = init;
  }

  get isSearching(): boolean {
    return this.#searches.size > 0;
  }

  seek(peer: NodeId): void {
    if (this.#stopped || this.#searches.has(peer)) return;
    const search: Search = { attempts: 0 };
    this.#searches.set(peer, search);
    this.#schedule(peer, search, this.#dialsFirst(peer) ? 0 : HIGHER_ID_FIRST_MS);
  }

  found(peer: NodeId): void {
    const search = this.#searches.get(peer);
    clearTimeout(search?.timer);
    search?.dialling?.abort(new Error("the peer was reached another way"));
    this.#searches.delete(peer);
  }

  /**
   * The peer was just heard of, so it is there. At the first time in a while an attempt under way is begun anew, for it may
   * be waiting at an address that died; later ones leave it alone, or a slow handshake would never end.
   */
  sighted(peer: NodeId): void {
    const search = this.#searches.get(peer);
    if (!search || !this.#dialsFirst(peer)) return;
    const nowMs = performance.now();
    const isNews = search.sightedAtMs === undefined || nowMs - search.sightedAtMs > 3 * TIMING.beaconMs;
    search.sightedAtMs = nowMs;
    search.attempts = 0;
    if (!search.dialling) this.#schedule(peer, search, 0);
    else if (isNews) search.dialling.abort(new Error("the peer was sighted"));
  }

  stop(): void {
    this.#stopped = true;
    for (const peer of [...this.#searches.keys()]) this.found(peer);
  }

  #dialsFirst(peer: NodeId): boolean {
    return this.#init.self < peer;
  }

  #schedule(peer: NodeId, search: Search, delayMs: number): void {
    clearTimeout(search.timer);
    search.timer = setTimeout(() => void this.#attempt(peer, search), delayMs);
  }

  async #attempt(peer: NodeId, search: Search): Promise<void> {
    const addresses = this.#init.addresses(peer);
    if (addresses.length > 0 && !this.#init.isConnecting(peer)) {
      search.dialling = new AbortController();
      try {
        await this.#init.dial(peer, this.#choice(addresses, search), search.dialling.signal);
      } catch (error) {
        if (this.#searches.get(peer) === search) this.#init.onFailed(peer, error);
      }
      delete search.dialling;
    }
    if (this.#searches.get(peer) !== search) return;
    search.attempts++;
    this.#schedule(peer, search, this.#delayMs(peer, search));
  }

  /** Every second attempt goes to the likeliest address alone, so that dead ones on the list do not slow a return. */
  #choice(addresses: string[], search: Search): string[] {
    return search.attempts % 2 === 0 ? addresses : addresses.slice(0, 1);
  }

  #delayMs(peer: NodeId, search: Search): number {
    if (!this.#dialsFirst(peer)) return HIGHER_ID_NEXT_MS;
    return Math.min(TIMING.redialMaxMs, TIMING.redialMinMs * 2 ** Math.min(search.attempts - 1, 10));
  }
}
