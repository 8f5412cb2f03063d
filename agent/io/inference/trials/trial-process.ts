import { type ChildProcess, fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { TIMING } from "../../../../shared/limits.ts";
import { environment } from "../executor-process.ts";
import type { TrialCommand, TrialReport } from "./protocol.ts";
import { Refused } from "./refusals.ts";

const executorFile = fileURLToPath(new URL(`./trial-executor${import.meta.url.slice(-3)}`, import.meta.url));
/** Between two looks at the memory of a process: at a gigabyte a second, some ten megabytes are missed. */
const lookMs = 10;
/** The last words of a native crash. */
const lastWordsChars = 300;

const MB = 1e6;
const megabytes = (bytes: number): string => `${Math.ceil(bytes / MB)} MB`;

/** One process of a trial, watched: by its memory, by the time each command takes, by how it ends. */
export class TrialProcess {
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;
  readonly #memoryBytesMax: number;
  #rssBeforeBytes = Number.POSITIVE_INFINITY;
  #waiting: PromiseWithResolvers<TrialReport> | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #looking: NodeJS.Timeout | undefined;
  #killedBecause: string | undefined;
  #lastWords = "";
  #gone = false;

  constructor(memoryBytesMax: number) {
    this.#memoryBytesMax = memoryBytesMax;
    this.#child = fork(executorFile, [], {
      serialization: "advanced",
      execArgv: [],
      env: environment(),
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    const ending = Promise.withResolvers<void>();
    this.ended = ending.promise;
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#lastWords = (this.#lastWords + text).slice(-lastWordsChars);
    });
    this.#child.on("message", (message) => this.#hear(message as TrialReport));
    this.#child.on("error", (error) => {
      if (this.#child.pid === undefined) this.#end(`no process could be started for it: ${error.message}`);
    });
    this.#child.once("exit", (code, signal) => this.#end(this.#ending(code, signal)));
    this.#child.once("close", () => ending.resolve());
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** @throws Refused when the process did not come up */
  async up(): Promise<void> {
    const report = await this.#wait(TIMING.executorStartMs, "its process was not there");
    if (report.kind !== "up") throw new Refused("its process spoke out of turn");
    this.#rssBeforeBytes = report.rssBytes;
    this.#looking = setInterval(() => this.#look(), lookMs);
  }

  /** One command at a time. @throws Refused with the reason, in every way there is to fail */
  async ask<K extends TrialReport["kind"]>(
    command: TrialCommand,
    answer: K,
    deadlineMs: number,
  ): Promise<TrialReport & { kind: K }> {
    const waiting = this.#wait(deadlineMs, "it was not loaded and run");
    if (this.#child.connected) this.#child.send(command, () => {});
    const report = await waiting;
    if (report.kind === "refused") throw new Refused(report.reason);
    if (report.kind !== answer) throw new Refused("its process spoke out of turn");
    return report as TrialReport & { kind: K };
  }

  #wait(deadlineMs: number, what: string): Promise<TrialReport> {
    this.#waiting = Promise.withResolvers();
    const { promise } = this.#waiting;
    if (this.#gone) this.#waiting.reject(new Refused(this.#killedBecause ?? "its process was gone"));
    else this.#deadline = setTimeout(() => this.kill(`${what} within ${deadlineMs / 1_000} s`), deadlineMs);
    return promise;
  }

  #hear(message: TrialReport): void {
    clearTimeout(this.#deadline);
    this.#waiting?.resolve(message);
    this.#waiting = undefined;
  }

  /** Of a process that is gone there is no file; its end is told elsewhere. */
  #look(): void {
    let status: string;
    try {
      status = readFileSync(`/proc/${this.#child.pid}/status`, "utf8");
    } catch {
      return;
    }
    const rssBytes = Number(status.match(/^VmRSS:\s+(\d+) kB/m)?.[1] ?? 0) * 1024;
    if (rssBytes - this.#rssBeforeBytes > this.#memoryBytesMax)
      this.kill(`it needs more memory than the ${megabytes(this.#memoryBytesMax)} it may have`);
  }

  #ending(code: number | null, signal: NodeJS.Signals | null): string {
    if (this.#killedBecause) return this.#killedBecause;
    const words = this.#lastWords.replace(/\s+/g, " ").trim();
    const said = words ? `, which said: ${words}` : "";
    if (signal === "SIGKILL") return "the system killed the process that loaded it, most likely for its memory";
    return `it crashed the process that loaded it (${signal ?? `exit code ${code}`})${said}`;
  }

  #end(reason: string): void {
    this.#gone = true;
    this.#killedBecause ??= reason;
    clearTimeout(this.#deadline);
    clearInterval(this.#looking);
    this.#waiting?.reject(new Refused(reason));
    this.#waiting = undefined;
  }

  /** At once, whatever it does. */
  kill(because: string): void {
    this.#killedBecause ??= because;
    this.#child.kill("SIGKILL");
  }
}
