import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { SkeinError } from "../../../shared/errors.ts";
import { TIMING } from "../../../shared/limits.ts";
import type { InferenceOutcome, InferenceTask, PipelineInfo } from "../../ports/index.ts";
import { type ExecutorCommand, type ExecutorReport, inputPartBytes } from "./protocol.ts";

/** The end of what an executor wrote to stderr: the last words of a native crash. */
const lastWordsChars = 1_000;

/** In the sources a .ts file, in the built package a .js file: whichever this one is. */
const executorFile = fileURLToPath(new URL(`./executor${import.meta.url.slice(-3)}`, import.meta.url));

/**
 * Only what a program needs to start: no secret of the agent's reaches the process that decodes strangers' files. Two
 * malloc arenas instead of eight a core, because memory freed into an arena seldom comes back.
 */
function environment(): NodeJS.ProcessEnv {
  const kept = ["PATH", "LANG", "TMPDIR", "LD_LIBRARY_PATH"].flatMap((name) =>
    process.env[name] === undefined ? [] : [[name, process.env[name]]],
  );
  return { ...Object.fromEntries(kept), MALLOC_ARENA_MAX: "2", UV_THREADPOOL_SIZE: "2" };
}

interface Run {
  task: InferenceTask;
  resolve: (outcome: InferenceOutcome) => void;
  reject: (error: SkeinError) => void;
  deadline: NodeJS.Timeout;
}

/** One executor from its start to its end. After its end a new one takes its place; nothing is started twice. */
export class ExecutorProcess {
  /** Resolves once the models are warm. @throws MODEL_INVALID, EXECUTOR_DIED, DEADLINE_EXCEEDED */
  readonly ready: Promise<PipelineInfo[]>;
  /** Resolves, with the reason in words, when the process is gone. */
  readonly ended: Promise<string>;
  /** Why it never was ready. Set before `ended` resolves. */
  startError: SkeinError | undefined;
  /** False from the moment it is killed or gone, which is before `ended` resolves. */
  usable = true;
  /** After the last run. */
  rssBytes = 0;
  private readonly child: ChildProcess;
  private current: Run | undefined;
  private lastWords = "";
  private killReason: string | undefined;
  private settleReady!: { resolve: (pipelines: PipelineInfo[]) => void; reject: (error: SkeinError) => void };
  private settleEnded!: (reason: string) => void;

  constructor() {
    this.ready = new Promise((resolve, reject) => {
      this.settleReady = {
        resolve,
        reject: (error) => {
          this.startError ??= error;
          reject(error);
        },
      };
    });
    this.ended = new Promise((resolve) => {
      this.settleEnded = resolve;
    });
    this.child = fork(executorFile, [], {
      serialization: "advanced",
      execArgv: [],
      env: environment(),
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.watch();
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  private watch(): void {
    const what = "Starting an executor";
    const startTimer = setTimeout(() => {
      this.settleReady.reject(new SkeinError("DEADLINE_EXCEEDED", { what, deadlineMs: TIMING.executorStartMs }));
      this.kill(`it was not ready within ${TIMING.executorStartMs} ms`);
    }, TIMING.executorStartMs);
    this.ready.finally(() => clearTimeout(startTimer)).catch(() => {});
    this.child.on("message", (message) => this.hear(message as ExecutorReport));
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.lastWords = (this.lastWords + text).slice(-lastWordsChars);
    });
    this.child.on("error", (error) => {
      if (this.child.pid === undefined) this.end(error.message);
      else if (this.usable) this.kill(error.message);
    });
    this.child.once("exit", (code, signal) => this.end(signal ? `signal ${signal}` : `exit code ${code}`));
  }

  private hear(message: ExecutorReport): void {
    if (message.kind === "ready") {
      this.rssBytes = message.rssBytes;
      this.settleReady.resolve(message.pipelines);
    } else if (message.kind === "unfit") this.settleReady.reject(SkeinError.from(message.error));
    else {
      this.rssBytes = message.rssBytes;
      const run = this.takeRun();
      if (message.kind === "failed") run?.reject(SkeinError.from(message.error));
      else run?.resolve({ output: message.output, durationMs: message.durationMs });
    }
  }

  private takeRun(): Run | undefined {
    const run = this.current;
    this.current = undefined;
    clearTimeout(run?.deadline);
    return run;
  }

  private end(how: string): void {
    this.usable = false;
    const words = this.lastWords.trim();
    const reason = this.killReason ?? (words ? `${how}: ${words}` : how);
    this.settleReady.reject(new SkeinError("EXECUTOR_DIED", { reason, name: "its models", pid: this.pid }));
    const run = this.takeRun();
    run?.reject(new SkeinError("EXECUTOR_DIED", { reason, name: run.task.name, pid: this.pid }));
    this.settleEnded(reason);
  }

  /** One at a time: the caller waits for the end of the one before. */
  run(task: InferenceTask): Promise<InferenceOutcome> {
    return new Promise((resolve, reject) => {
      const deadline = setTimeout(() => {
        const facts = { what: `Work on ${task.name}`, name: task.name, deadlineMs: task.deadlineMs };
        this.takeRun()?.reject(new SkeinError("DEADLINE_EXCEEDED", facts));
        this.kill(`work on ${task.name} took longer than ${task.deadlineMs} ms`);
      }, task.deadlineMs);
      this.current = { task, resolve, reject, deadline };
      void this.sendTask(task);
    });
  }

  private async sendTask(task: InferenceTask): Promise<void> {
    const { pipeline, name, input } = task;
    const inputBytes = input.length;
    let sent = await this.send({ kind: "run", pipeline, name, inputBytes });
    for (let from = 0; sent && from < inputBytes; from += inputPartBytes)
      sent = await this.send({ kind: "inputPart", bytes: input.subarray(from, from + inputPartBytes) });
    if (!sent) this.kill(this.killReason ?? "its channel broke");
  }

  private send(command: ExecutorCommand): Promise<boolean> {
    return new Promise((resolve) => {
      if (!this.child.connected) return resolve(false);
      this.child.send(command, (error) => resolve(error === null));
    });
  }

  /** At once, whatever it does. */
  kill(reason: string): void {
    this.usable = false;
    this.killReason ??= reason;
    this.child.kill("SIGKILL");
  }
}
