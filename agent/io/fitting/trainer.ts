import { Worker } from "node:worker_threads";
import { type ErrorBody, SkeinError } from "../../../shared/errors.ts";
import type { DatasetView } from "../../../shared/fitting/dataset.ts";
import type { FitPart, FitRoundRequest } from "../../../shared/fitting/wire.ts";
import { LIMITS, TIMING } from "../../../shared/limits.ts";

interface About {
  path: string;
  /** Of the file: another time is another content. */
  changedAtMs: number;
}

/** A round over its rows, or what is told of them under a name. */
type Asking = About & ({ request: FitRoundRequest } | { name: string });

export type ThreadQuestion = Asking & { id: number };

export type ThreadAnswer = { id: number; value: FitPart | DatasetView } | { id: number; error: ErrorBody };

/** In the sources a .ts file, in the built package a .js file: whichever this one is. */
const THREAD_FILE = new URL(`./thread${import.meta.url.slice(-3)}`, import.meta.url);

interface Asked {
  settle: PromiseWithResolvers<FitPart | DatasetView>;
  late: NodeJS.Timeout;
}

/** Hands rounds, and data sets to be read, to its thread; one that overruns its deadline is ended with all it was asked. */
export class Trainer {
  readonly #asked = new Map<number, Asked>();
  #thread: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #lastId = 0;

  /** @throws FIT_BUSY, FIT_FAILED, BAD_REQUEST */
  round(path: string, changedAtMs: number, request: FitRoundRequest): Promise<FitPart> {
    return this.#ask({ path, changedAtMs, request }) as Promise<FitPart>;
  }

  /** @throws BAD_REQUEST with the line, TOO_LARGE, FIT_BUSY, FIT_FAILED */
  view(name: string, path: string, changedAtMs: number): Promise<DatasetView> {
    return this.#ask({ path, changedAtMs, name }) as Promise<DatasetView>;
  }

  #ask(asking: Asking): Promise<FitPart | DatasetView> {
    if (this.#asked.size >= LIMITS.fitRoundsWaitingMax)
      return Promise.reject(new SkeinError("FIT_BUSY", { waiting: this.#asked.size }));
    clearTimeout(this.#idle);
    this.#thread ??= this.#start();
    const id = ++this.#lastId;
    const settle = Promise.withResolvers<FitPart | DatasetView>();
    const late = setTimeout(() => void this.#stop(`a round took over ${TIMING.fitRoundMs} ms`), TIMING.fitRoundMs);
    this.#asked.set(id, { settle, late });
    this.#thread.postMessage({ id, ...asking } satisfies ThreadQuestion);
    return settle.promise;
  }

  #start(): Worker {
    const thread = new Worker(THREAD_FILE, { stdin: false });
    thread.on("message", (answer: ThreadAnswer) => this.#hear(answer));
    thread.on("error", (error) => this.#gone(thread, error.message));
    thread.on("exit", (code) => this.#gone(thread, `its thread ended with code ${code}`));
    thread.unref();
    return thread;
  }

  #hear(answer: ThreadAnswer): void {
    const asked = this.#asked.get(answer.id);
    if (!asked) return;
    this.#asked.delete(answer.id);
    clearTimeout(asked.late);
    if ("value" in answer) asked.settle.resolve(answer.value);
    else asked.settle.reject(SkeinError.from(answer.error));
    if (this.#asked.size === 0) this.#idle = setTimeout(() => void this.close(), TIMING.fitIdleMs).unref();
  }

  #gone(thread: Worker, reason: string): void {
    if (this.#thread !== thread) return;
    this.#thread = undefined;
    for (const { settle, late } of this.#asked.values()) {
      clearTimeout(late);
      settle.reject(new SkeinError("FIT_FAILED", { reason }));
    }
    this.#asked.clear();
  }

  async #stop(reason: string): Promise<void> {
    const thread = this.#thread;
    if (!thread) return;
    this.#gone(thread, reason);
    await thread.terminate();
  }

  async close(): Promise<void> {
    clearTimeout(this.#idle);
    await this.#stop("the agent is stopping");
  }
}
