/**
 * An executor: a child process of the agent that owns one onnxruntime thread, or as many as a model's choice says. It is a process and not a thread because a
 * run can neither be cancelled nor survive the end of its thread: a process can be killed at any moment.
 */
import { setPriority } from "node:os";
import { SkeinError } from "../../../shared/errors.ts";
import type { Segment } from "../../../shared/pipeline/compiled.ts";
import type { SessionChoice } from "../../../shared/session-choice.ts";
import type { ModelToLoad } from "../../ports/index.ts";
import type { LocalOperators } from "./operators/local.ts";
import type { Operator } from "./operators/operator.ts";
import type { ExecutorCommand, ExecutorReport, ItemEnd, ItemToRun, ModelPipeline, Pipeline } from "./protocol.ts";
import { choicesVariable, operatorsVariable } from "./protocol.ts";
import type { InstalledSegment } from "./segment/installed.ts";
import type { SegmentTask } from "./segment/item.ts";
import { markStage } from "./segment/stage-mark.ts";
import { ComingItem } from "./task-input.ts";

/** Below the agent, whose heartbeats must not wait for a page to be read. */
const niceness = 10;
/** What has ended is told at least this often while more of a group runs. */
const tellMs = 2;

process.title = "skein-executor";
// Executors end when the agent says so or is gone, and not by a signal meant for the whole group (Ctrl-C, systemd stop):
// the agent may still want the result. SIGKILL, because an exit would wait for a decoder at work.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
// Before onnxruntime and sharp start threads: threads inherit it, and it is not changed for those that already run.
setPriority(niceness);

const rssBytes = (): number => process.memoryUsage.rss();

function report(message: ExecutorReport): void {
  // An error here means that the agent is gone; "disconnect" follows.
  process.send?.(message, () => {});
}

/** Imported when it is needed: onnxruntime must not start its threads before their priority is set. */
async function loadModelPipeline(model: ModelToLoad): Promise<ModelPipeline> {
  const { loadModelPipeline: load } = await import("./model/pipeline.ts");
  return load(model);
}

/** The same of operators, of which some use sharp. */
async function loadSegment(
  segment: Segment,
  models: ReadonlyMap<string, ModelPipeline>,
  local: ReadonlyMap<string, Operator>,
): Promise<InstalledSegment> {
  const { IMPLEMENTATIONS } = await import("./operators/index.ts");
  const { InstalledSegment: Installed } = await import("./segment/installed.ts");
  return new Installed(segment, { models, operators: new Map([...IMPLEMENTATIONS, ...local]) }, markStage);
}

async function loadLocalOperators(): Promise<LocalOperators> {
  const folder = process.env[operatorsVariable];
  if (folder === undefined) return { operators: new Map(), faults: [] };
  const { readLocalOperators } = await import("./operators/local.ts");
  return readLocalOperators(folder);
}

async function loadPipelines(): Promise<Map<string, Pipeline>> {
  const { default: sharp } = await import("sharp");
  sharp.concurrency(1);
  sharp.cache(false);
  const { loadOcrPipeline } = await import("./ocr/pipeline.ts");
  const { loadCanaryPipeline } = await import("./canary/pipeline.ts");
  const choices = JSON.parse(process.env[choicesVariable] ?? "{}") as Record<string, SessionChoice>;
  const pipelines = [await loadOcrPipeline(choices), await loadCanaryPipeline()];
  return new Map(pipelines.map((pipeline) => [pipeline.info.name, pipeline]));
}

class Executor {
  readonly #pipelines: ReadonlyMap<string, Pipeline>;
  readonly #models = new Map<string, ModelPipeline>();
  readonly #segments = new Map<string, Promise<InstalledSegment>>();
  #coming: ComingItem | undefined;

  readonly #local: ReadonlyMap<string, Operator>;

  constructor(pipelines: ReadonlyMap<string, Pipeline>, local: ReadonlyMap<string, Operator>) {
    this.#pipelines = pipelines;
    this.#local = local;
  }

  hear(command: ExecutorCommand): void {
    if (command.kind === "runMany") void this.#runItems(command.items);
    else if (command.kind === "load") void this.#load(command.model);
    else if (command.kind === "unload") void this.#unload(command.pipeline);
    else if (command.kind === "install") this.#install(command);
    else if (command.kind === "run") this.#coming = new ComingItem(command);
    else this.#coming?.fill(command.bytes);
    this.#runWhenFilled();
  }

  #install({ segment, forgotten }: ExecutorCommand & { kind: "install" }): void {
    if (forgotten !== undefined) this.#segments.delete(forgotten);
    const installed = loadSegment(segment, this.#models, this.#local);
    this.#segments.set(segment.name, installed);
    // Whoever runs it is told.
    installed.catch(() => {});
  }

  #runWhenFilled(): void {
    const item = this.#coming?.item;
    if (!item) return;
    this.#coming = undefined;
    void this.#runItems([item]);
  }

  async #runItems(items: ItemToRun[]): Promise<void> {
    let ends: ItemEnd[] = [];
    let toldMs = performance.now();
    for (let n = 0; n < items.length; ) {
      const together = this.#together(items, n);
      ends.push(...(await this.#endsOf(together)));
      n += together.length;
      if (n < items.length && performance.now() - toldMs < tellMs) continue;
      report({ kind: "ended", ends, rssBytes: rssBytes() });
      ends = [];
      toldMs = performance.now();
    }
  }

  /** From this one on those of the same model or segment; each item of another pipeline is alone. */
  #together(items: readonly ItemToRun[], from: number): ItemToRun[] {
    const { pipeline } = items[from]!;
    let to = from + 1;
    while (!this.#pipelines.has(pipeline) && items[to]?.pipeline === pipeline) to++;
    return items.slice(from, to);
  }

  async #endsOf(items: readonly ItemToRun[]): Promise<ItemEnd[]> {
    const startedMs = performance.now();
    const [{ pipeline, input, name }] = items as [ItemToRun];
    try {
      const model = this.#models.get(pipeline);
      if (model) return await model.runTogether(items);
      const segment = await this.#segments.get(pipeline);
      if (segment) return await segment.run(items.map(taskOf));
      const output = await this.#pipelines.get(pipeline)!.run(input, name);
      return [{ output, durationMs: performance.now() - startedMs }];
    } catch (error) {
      return items.map(() => ({ error: SkeinError.from(error).toJSON() }));
    }
  }

  async #load(model: ModelToLoad): Promise<void> {
    try {
      const loaded = await loadModelPipeline(model);
      this.#models.set(model.pipeline, loaded);
      await this.#forgetBodies();
      const { sampleLength } = loaded;
      report({ kind: "loaded", ...(sampleLength !== undefined && { sampleLength }), rssBytes: rssBytes() });
    } catch (error) {
      const known = SkeinError.from(error);
      const facts = { model: model.pipeline, reason: known.message };
      const invalid = known.code === "MODEL_INVALID" ? known : new SkeinError("MODEL_INVALID", facts);
      report({ kind: "loadFailed", error: invalid.toJSON(), rssBytes: rssBytes() });
    }
  }

  async #unload(pipeline: string): Promise<void> {
    await this.#models.get(pipeline)?.release();
    this.#models.delete(pipeline);
    await this.#forgetBodies();
    report({ kind: "unloaded", rssBytes: rssBytes() });
  }

  /** What stages made of a model's files, and their hold on its session. */
  async #forgetBodies(): Promise<void> {
    for (const installed of this.#segments.values()) (await installed).forgetBodies();
  }
}

/** A whole pipeline starts from the item's input. */
const taskOf = ({ name, input, parts = [{ kind: "item", bytes: input }] }: ItemToRun): SegmentTask => ({ name, parts });

function serve(pipelines: ReadonlyMap<string, Pipeline>, { operators, faults }: LocalOperators): void {
  const executor = new Executor(pipelines, operators);
  process.on("message", (command: ExecutorCommand) => executor.hear(command));
  const infos = [...pipelines.values()].map(({ info }) => info);
  const local = { specs: [...operators.values()].map(({ spec }) => spec), faults };
  report({ kind: "ready", pipelines: infos, local, rssBytes: rssBytes() });
}

try {
  serve(await loadPipelines(), await loadLocalOperators());
} catch (error) {
  const known = SkeinError.from(error);
  const unfit =
    known.code === "MODEL_INVALID" ? known : new SkeinError("MODEL_INVALID", { model: "ocr", reason: known.message });
  process.send?.({ kind: "unfit", error: unfit.toJSON() } satisfies ExecutorReport, () => process.exit(1));
}
