import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { SkeinError } from "../../../shared/errors.ts";
import { TIMING } from "../../../shared/limits.ts";
import type { SolverAnswer, SolverQuestion } from "./protocol.ts";

export interface SolverTimes {
  startMs: number;
  /** Beyond the time of the program. */
  lateMs: number;
  idleMs: number;
}

export interface SolverProcessOptions {
  times?: SolverTimes;
  childFile?: string;
}

type Found = Extract<SolverAnswer, { solution: unknown }>["solution"];

const TIMES: SolverTimes = { startMs: TIMING.solverStartMs, lateMs: TIMING.solverLateMs, idleMs: TIMING.solverIdleMs };
const LAST_WORDS_CHARS = 1_000;
/** In the sources a .ts file, in the built package a .js file: whichever this one is. */
const CHILD_FILE = fileURLToPath(new URL(`./child${import.meta.url.slice(-3)}`, import.meta.url));
/** Only what a program needs to start. */
const KEPT_ENVIRONMENT = ["PATH", "LANG", "TMPDIR", "LD_LIBRARY_PATH"];

/** One process of the solver from its start to its end; one question at a time. */
export class SolverProcess {
  /** With the reason in words, when it is gone. */
  readonly ended: Promise<string>;
  /** False from the moment it is killed or gone. */
  usable = true;
  readonly #child: ChildProcess;
  readonly #times: SolverTimes;
  readonly #loaded = Promise.withResolvers<void>();
  readonly #gone = Promise.withResolvers<string>();
  #asked: { id: number; settle: PromiseWithResolvers<Found> } | undefined;
  #lastId = 0;
  #lastWords = "";
  #killReason: string | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor({ times = TIMES, childFile = CHILD_FILE }: SolverProcessOptions) {
    this.#times = times;
    this.ended = this.#gone.promise;
    const kept = KEPT_ENVIRONMENT.flatMap((name) =>
      process.env[name] === undefined ? [] : [[name, process.env[name]]],
    );
    this.#child = fork(childFile, [], {
      serialization: "advanced",
      execArgv: [],
      env: Object.fromEntries(kept),
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#loaded.promise.catch(() => {});
    this.#watch();
  }

  #watch(): void {
    const timer = setTimeout(() => this.kill(`it did not start within ${this.#times.startMs} ms`), this.#times.startMs);
    this.#loaded.promise.finally(() => clearTimeout(timer)).catch(() => {});
    this.#child.on("message", (message) => this.#hear(message as SolverAnswer));
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#lastWords = (this.#lastWords + text).slice(-LAST_WORDS_CHARS);
    });
    this.#child.on("error", (error) =>
      this.#child.pid === undefined ? this.#end(error.message) : this.kill(error.message),
    );
    this.#child.once("exit", (code, signal) => this.#end(signal ? `signal ${signal}` : `exit code ${code}`));
  }

  #hear(message: SolverAnswer): void {
    if (message.id === 0) this.#loaded.resolve();
    // One of a question that nobody waits for any more is nobody's.
    if (this.#asked?.id !== message.id) return;
    const { settle } = this.#asked;
    this.#asked = undefined;
    if ("solution" in message) settle.resolve(message.solution);
    else settle.reject(failed("reason" in message ? message.reason : "it said nothing"));
  }

  #end(how: string): void {
    this.usable = false;
    clearTimeout(this.#idle);
    const words = this.#lastWords.trim();
    const reason = this.#killReason ?? `its process ended: ${words ? `${how}: ${words}` : how}`;
    this.#loaded.reject(failed(reason));
    this.#asked?.settle.reject(failed(reason));
    this.#asked = undefined;
    this.#gone.resolve(reason);
  }

  /** @throws SOLVER_FAILED */
  async ask(question: Omit<SolverQuestion, "id">): Promise<Found> {
    clearTimeout(this.#idle);
    await this.#loaded.promise;
    const id = ++this.#lastId;
    const settle = Promise.withResolvers<Found>();
    this.#asked = { id, settle };
    const allowedMs = question.options.timeLimitMs + this.#times.lateMs;
    const late = setTimeout(() => this.kill(`it did not answer within ${allowedMs} ms`), allowedMs);
    this.#child.send({ id, ...question } satisfies SolverQuestion, (error) => {
      if (error) this.kill(`its channel broke: ${error.message}`);
    });
    try {
      return await settle.promise;
    } finally {
      clearTimeout(late);
      if (this.usable) this.#idle = setTimeout(() => this.kill("it had nothing to do"), this.#times.idleMs).unref();
    }
  }

  /** At once, whatever it does. */
  kill(reason: string): void {
    this.usable = false;
    this.#killReason ??= reason;
    this.#child.kill("SIGKILL");
  }
}

const failed = (reason: string): SkeinError => new SkeinError("SOLVER_FAILED", { reason });
