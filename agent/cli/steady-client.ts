import { setTimeout as sleep } from "node:timers/promises";
import { type Client, createClient } from "../../shared/client.ts";
import { type ErrorCode, SkeinError } from "../../shared/errors.ts";

export interface SteadyOptions {
  /** Agents of one fleet; the first that answers is used until it does not. */
  urls: readonly string[];
  token?: string;
  fetch: typeof fetch;
  /** Of each small call. A frozen box answers nothing, so this is how long it holds the command up. */
  deadlineMs?: number;
}

export interface Patience {
  /** How long failures that may pass are borne, from the first of them. 0: every agent is tried once. */
  patienceMs: number;
  /** Codes that may pass in this call's case, beside the usual ones. */
  alsoPassing?: readonly ErrorCode[];
  signal?: AbortSignal;
}

/** This agent is gone or stuck; another may not be. */
const GONE: readonly ErrorCode[] = ["AGENT_UNREACHABLE", "DEADLINE_EXCEEDED"];
/** The fleet is between leaders. */
const PASSING: readonly ErrorCode[] = ["NOT_READY", "NO_LEADER", "NOT_LEADER", "PROPOSAL_DROPPED", "PEER_UNREACHABLE"];
/** Between two rounds. An election takes a few hundred milliseconds. */
const PAUSE_MS = 250;

/** A client of the fleet rather than of one agent: outlives the agent it talks to. */
export class SteadyClient {
  readonly #clients: readonly Client[];
  #at = 0;

  constructor({ urls, token, fetch, deadlineMs }: SteadyOptions) {
    const more = {
      fetch,
      ...(token === undefined ? {} : { token }),
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
    };
    this.#clients = urls.map((url) => createClient({ url, ...more }));
  }

  /** The agent that is being talked to. */
  get url(): string {
    return this.#current.url;
  }

  get #current(): Client {
    return this.#clients[this.#at]!;
  }

  /**
   * Makes a call, which must be one that may be made twice: after a failure nobody knows whether it was done.
   * @throws the first failure of the round that used up the patience.
   */
  async call<T>(what: (client: Client) => Promise<T>, patience: Patience = { patienceMs: 0 }): Promise<T> {
    const passing = [...PASSING, ...(patience.alsoPassing ?? [])];
    const untilMs = performance.now() + patience.patienceMs;
    for (;;) {
      const failure = await this.#round(what, passing);
      if ("value" in failure) return failure.value;
      if (performance.now() >= untilMs || patience.signal?.aborted) throw failure.error;
      await sleep(PAUSE_MS, undefined, patience.signal ? { signal: patience.signal } : {}).catch(() => {
        throw failure.error;
      });
    }
  }

  /** Tries each agent once, beginning with the present one. */
  async #round<T>(
    what: (client: Client) => Promise<T>,
    passing: readonly ErrorCode[],
  ): Promise<{ value: T } | { error: SkeinError }> {
    let first: SkeinError | undefined;
    for (let tries = 0; tries < this.#clients.length; tries++) {
      try {
        return { value: await what(this.#current) };
      } catch (error) {
        const known = SkeinError.from(error);
        if (!GONE.includes(known.code) && !passing.includes(known.code)) throw known;
        first ??= known;
        this.#at = (this.#at + 1) % this.#clients.length;
      }
    }
    return { error: first! };
  }
}
