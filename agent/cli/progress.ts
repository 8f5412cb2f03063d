import type { JobView } from "../../shared/job.ts";
import type { PipelineFiles } from "../../shared/pipelines.ts";
import { duration, plain, plural } from "./table.ts";
import type { World } from "./world.ts";

const BAR_CELLS = 24;
const NODE_BAR_CELLS = 16;
/** Without a terminal: a line at each of this many steps, so that a log of a long job stays short. */
const STEPS = 10;

/** Shows a job move: drawn over on a terminal, a line now and then elsewhere. All to stderr. */
export class Progress {
  readonly #world: World;
  readonly #startedMs = performance.now();
  #recordedAtStart: number | undefined;
  #linesDrawn = 0;
  #stepTold = -1;
  /** What is counted, once it is known what is run. */
  item: PipelineFiles["item"] = { noun: "file", done: "read" };

  constructor(world: World) {
    this.#world = world;
  }

  /** A line of its own, above what is drawn. */
  say(text: string): void {
    this.clear();
    this.#world.err(`${plain(text)}\n`);
  }

  /** Before there is a job. */
  showUpload(done: number, of: number): void {
    if (this.#world.isTerminal)
      this.#draw([`${bar(done / of, BAR_CELLS)} sent ${done} of ${plural(of, this.item.noun)}`]);
  }

  show(job: JobView): void {
    this.#recordedAtStart ??= job.itemsRecorded;
    if (this.#world.isTerminal) this.#draw([this.#headline(job), ...nodeLines(job, this.item.done)]);
    else this.#tellStep(job);
  }

  clear(): void {
    if (this.#linesDrawn > 0) this.#world.err(`\x1b[${this.#linesDrawn}F\x1b[J`);
    this.#linesDrawn = 0;
  }

  #headline(job: JobView): string {
    const share = job.itemsRecorded / job.items;
    const head = `${bar(share, BAR_CELLS)} ${String(Math.floor(share * 100)).padStart(3)} %  ${job.itemsRecorded}/${job.items}`;
    const done = job.itemsRecorded - (this.#recordedAtStart ?? 0);
    const elapsedMs = performance.now() - this.#startedMs;
    if (done <= 0 || elapsedMs <= 0) return head;
    const leftMs = ((job.items - job.itemsRecorded) * elapsedMs) / done;
    const failed = job.itemsFailed > 0 ? `  ${job.itemsFailed} failed` : "";
    return `${head}  ${((done * 1000) / elapsedMs).toFixed(1)}/s  ${duration(leftMs)} left${failed}`;
  }

  #tellStep(job: JobView): void {
    const step = Math.floor((job.itemsRecorded * STEPS) / job.items);
    if (step === this.#stepTold) return;
    this.#stepTold = step;
    const shares = job.shares.filter((share) => share.itemsRecorded > 0);
    const by = shares.map((share) => `${plain(share.name)} ${share.itemsRecorded}`).join(", ");
    this.#world.err(`${job.itemsRecorded} of ${job.items} ${this.item.done}${by ? ` (${by})` : ""}\n`);
  }

  /** A line longer than the terminal would wrap, and the next draw would then start too low. */
  #draw(lines: readonly string[]): void {
    this.clear();
    const width = Math.max(20, this.#world.columns() - 1);
    this.#world.err(lines.map((line) => `${[...line].slice(0, width).join("")}\n`).join(""));
    this.#linesDrawn = lines.length;
  }
}

function nodeLines(job: JobView, done: string): string[] {
  const most = Math.max(1, ...job.shares.map((share) => share.itemsRecorded));
  const width = Math.max(0, ...job.shares.map((share) => share.name.length));
  return job.shares.map((share) => {
    const figures = `${String(share.itemsRecorded).padStart(5)} ${done}  ${share.itemsLeased} at work`;
    return `  ${plain(share.name).padEnd(width)} ${bar(share.itemsRecorded / most, NODE_BAR_CELLS)} ${figures}`;
  });
}

function bar(share: number, cells: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * cells);
  return "█".repeat(full) + "░".repeat(cells - full);
}
