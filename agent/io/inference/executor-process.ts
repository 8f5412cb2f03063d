import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { SkeinError } from "../../../shared/errors.ts";
import { LIMITS, TIMING } from "../../../shared/limits.ts";
import type { Segment } from "../../../shared/pipeline/compiled.ts";
import type { SessionChoice } from "../../../shared/session-choice.ts";
import type { InferenceOutcome, InferenceTask, ModelToLoad, PipelineInfo } from "../../ports/index.ts";
import {
  choicesVariable,
  type ExecutorCommand,
  type ExecutorReport,
  type ItemEnd,
  type ItemToRun,
  inputPartBytes,
  type LocalOperatorsRead,
  operatorsVariable,
} from "./protocol.ts";
import { StageMark } from "./segment/stage-mark.ts";
import { announced, chunksOf, taskBytes } from "./task-input.ts";

/** In this process. */
let executorsStarted = 0;
/** The end of what an executor wrote to stderr: the last words of a native crash. */
const lastWordsChars = 1_000;

/** In the sources a .ts file, in the built package a .js file: whichever this one is. */
const executorFile = fileURLToPath(new URL(`./executor${import.meta.url.slice(-3)}`, import.meta.url));

/**
 * Only what a program needs to start: no secret of the agent's reaches the process that decodes strangers' files. Two
 * malloc arenas instead of eight a core, because memory freed into an arena seldom comes back.
 */
export function environment(): NodeJS.ProcessEnv {
  const kept = ["PATH", "LANG", "TMPDIR", "LD_LIBRARY_PATH"].flatMap((name) =>
    process.env[name] === undefined ? [] : [[name, process.env[name]]],
  );
  return { ...Object.fromEntries(kept), MALLOC_ARENA_MAX: "2", UV_THREADPOOL_SIZE: "2" };
}

/** An item and whoever waits for it. */
export interface Assignment {
  task: InferenceTask;
  resolve: (outcome: InferenceOutcome) => void;
  reject: (error: SkeinError) => void;
}

/** What was handed over together. */
interface Run {
  /** Not ended yet, in the order in which they are run. */
  left: Assignment[];
  deadline?: NodeJS.Timeout;
  settle: (unanswered: Assignment[]) => void;
}

/** A model that is being loaded or let go. */
interface Order {
  resolve: (loaded: { sampleLength?: number }) => void;
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
  /** Set before `ready` resolves. */
  local: LocalOperatorsRead = { specs: [], faults: [] };
  private readonly child: ChildProcess;
  private current: Run | undefined;
  private order: Order | undefined;
  private lastWords = "";
  private killReason: string | undefined;
  /** Which of its stages a segment is in. */
  private readonly mark = new StageMark(++executorsStarted);
  /** What it was sent, by name; the one used longest ago first. */
  private readonly installed = new Map<string, Segment>();
  private settleReady!: { resolve: (pipelines: PipelineInfo[]) => void; reject: (error: SkeinError) => void };
  private settleEnded!: (reason: string) => void;

  /** Graphs of the pipelines that come with the agent run as `choices` say, or plainly. */
  constructor(choices: ReadonlyMap<string, SessionChoice> = new Map(), operatorsFolder?: string) {
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
    this.child = this.forked(choices, operatorsFolder);
    this.watch();
  }

  private forked(choices: ReadonlyMap<string, SessionChoice>, operatorsFolder: string | undefined): ChildProcess {
    const told = {
      [choicesVariable]: JSON.stringify(Object.fromEntries(choices)),
      ...(operatorsFolder !== undefined && { [operatorsVariable]: operatorsFolder }),
    };
    try {
      return fork(executorFile, [], {
        serialization: "advanced",
        execArgv: [],
        env: { ...environment(), ...told },
        stdio: ["ignore", "ignore", "pipe", "ipc", this.mark.descriptor],
      });
    } catch (error) {
      this.mark.close();
      throw error;
    }
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
      this.local = message.local;
      this.settleReady.resolve(message.pipelines);
    } else if (message.kind === "unfit") this.settleReady.reject(SkeinError.from(message.error));
    else if (message.kind !== "ended") {
      this.rssBytes = message.rssBytes;
      if (message.kind === "loadFailed") this.takeOrder()?.reject(SkeinError.from(message.error));
      else this.takeOrder()?.resolve(message.kind === "loaded" ? message : {});
    } else {
      this.rssBytes = message.rssBytes;
      for (const end of message.ends) this.answer(end);
      if (this.current && this.current.left.length > 0) this.watchDeadline(this.current);
      else this.takeRun()?.settle([]);
    }
  }

  private answer(end: ItemEnd): void {
    const first = this.current?.left.shift();
    if ("error" in end) first?.reject(SkeinError.from(end.error));
    else first?.resolve(end);
  }

  private takeRun(): Run | undefined {
    const run = this.current;
    this.current = undefined;
    clearTimeout(run?.deadline);
    return run;
  }

  /**
   * Nobody gets to the end of this. If one item is left it is at fault; of several nobody knows which, because what has
   * ended is told in groups: none is blamed, and the caller runs each of them alone.
   */
  private breakOff(errorOf: (task: InferenceTask, stage: string | undefined) => SkeinError): void {
    const run = this.takeRun();
    if (!run) return;
    const [first, ...others] = run.left;
    const isCulpritKnown = first !== undefined && others.length === 0;
    if (isCulpritKnown) {
      const isStaged = this.installed.has(first.task.pipeline);
      first.reject(errorOf(first.task, isStaged ? this.mark.read() : undefined));
    }
    run.settle(isCulpritKnown ? [] : run.left);
  }

  private end(how: string): void {
    this.usable = false;
    const words = this.lastWords.trim();
    const reason = this.killReason ?? (words ? `${how}: ${words}` : how);
    this.settleReady.reject(new SkeinError("EXECUTOR_DIED", { reason, name: "its models", pid: this.pid }));
    this.breakOff(({ name }, stage) => {
      const facts = { name, pid: this.pid, ...(stage !== undefined && { stage }) };
      return new SkeinError("EXECUTOR_DIED", {
        ...facts,
        reason: stage === undefined ? reason : `${reason}, in its stage ${stage}`,
      });
    });
    this.takeOrder()?.reject(new SkeinError("EXECUTOR_DIED", { reason, name: "a model", pid: this.pid }));
    this.mark.close();
    this.settleEnded(reason);
  }

  /**
   * Runs these; the caller waits before it hands over the next. Several must be small. Resolves with
   * those that were not answered because this process ended: any of them may be why.
   */
  run<T extends Assignment>(assignments: T[]): Promise<T[]> {
    return new Promise((resolve) => {
      const settle = (unanswered: Assignment[]): void => resolve(unanswered as T[]);
      this.current = { left: [...assignments], settle };
      this.watchDeadline(this.current);
      void this.sendTasks(assignments.map(({ task }) => task));
    });
  }

  /**
   * Loads and warms a model; the caller hands over nothing meanwhile.
   * @throws MODEL_INVALID: it goes on without it; EXECUTOR_DIED, DEADLINE_EXCEEDED: it is gone
   */
  load(model: ModelToLoad, deadlineMs: number): Promise<{ sampleLength?: number }> {
    return this.carryOut({ kind: "load", model }, `Loading ${model.pipeline}`, deadlineMs);
  }

  /** As `load`. */
  async unload(pipeline: string, deadlineMs: number): Promise<void> {
    await this.carryOut({ kind: "unload", pipeline }, `Unloading ${pipeline}`, deadlineMs);
  }

  private carryOut(command: ExecutorCommand, what: string, deadlineMs: number): Promise<{ sampleLength?: number }> {
    return new Promise((resolve, reject) => {
      const late = (): void => {
        this.takeOrder()?.reject(new SkeinError("DEADLINE_EXCEEDED", { what, deadlineMs }));
        this.kill(`${what} took longer than ${deadlineMs} ms`);
      };
      this.order = { resolve, reject, deadline: setTimeout(late, deadlineMs) };
      void this.send(command).then((sent) => {
        if (!sent) this.kill(this.killReason ?? "its channel broke");
      });
    });
  }

  private takeOrder(): Order | undefined {
    const order = this.order;
    this.order = undefined;
    clearTimeout(order?.deadline);
    return order;
  }

  /** Short items run in no time, so that all of a group have the time of the most impatient: which of them runs is not known here. */
  private watchDeadline(run: Run): void {
    const [{ task: first }] = run.left as [Assignment];
    const deadlineMs = Math.min(...run.left.map(({ task }) => task.deadlineMs));
    clearTimeout(run.deadline);
    run.deadline = setTimeout(() => {
      this.breakOff(({ name }, stage) => {
        const what = `Work on ${name}${stage === undefined ? "" : `, in its stage ${stage},`}`;
        const facts = { what, name, deadlineMs, ...(stage !== undefined && { stage }) };
        return new SkeinError("DEADLINE_EXCEEDED", facts);
      });
      this.kill(`work on ${first.name} took longer than ${deadlineMs} ms`);
    }, deadlineMs);
  }

  /**
   * Makes sure that it knows the segment before the next run of it. At most segmentsInstalledMax, the one used longest ago goes.
   */
  install(segment: Segment): void {
    const { name } = segment;
    const isKnown = this.installed.get(name) === segment;
    this.installed.delete(name);
    this.installed.set(name, segment);
    if (isKnown) return;
    const [oldest] = this.installed.keys();
    const isTooMany = this.installed.size > LIMITS.segmentsInstalledMax;
    if (isTooMany) this.installed.delete(oldest!);
    void this.send({ kind: "install", segment, ...(isTooMany && { forgotten: oldest! }) });
  }

  private async sendTasks(tasks: InferenceTask[]): Promise<void> {
    this.mark.clear();
    const items = tasks.flatMap(({ pipeline, name, input, parts }): ItemToRun[] =>
      input instanceof Uint8Array ? [{ pipeline, name, input, ...(parts && { parts }) }] : [],
    );
    const isOne = items.length === 1 && taskBytes(tasks[0]!) <= inputPartBytes;
    const isTogether = items.length === tasks.length && (isOne || items.length > 1);
    const sent = isTogether ? await this.send({ kind: "runMany", items }) : await this.sendAlone(tasks[0]!);
    if (!sent) this.kill(this.killReason ?? "its channel broke");
  }

  private async sendAlone(task: InferenceTask): Promise<boolean> {
    let sent = await this.send(announced(task));
    try {
      for await (const bytes of chunksOf(task)) {
        if (!sent) return false;
        sent = await this.send({ kind: "inputPart", bytes });
      }
    } catch (error) {
      // It waits for the rest of an input that does not come: only its end makes it forget what it has.
      this.kill("its input broke off");
      this.breakOff(() => SkeinError.from(error));
      return false;
    }
    return sent;
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
