/** Recorded results as files in a folder, or as text in memory. */
import { mkdir } from "node:fs/promises";
import { join, parse } from "node:path";
import { checkFileName } from "../../shared/checks.ts";
import type { BlobHash } from "../../shared/ids.ts";
import type { RecordedResult } from "../../shared/job.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Json } from "../../shared/pipeline/definition.ts";
import { writeWhole } from "./files.ts";
import { inParallel } from "./in-parallel.ts";
import { FILES_AT_ONCE } from "./inputs.ts";

/**
 * The names of a job's output files without their endings: the input's name without its own, or the whole name where two
 * inputs differ in nothing else (`page.png` and `page.jpg`).
 */
export function stemsFor(names: readonly string[]): Map<string, string> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(parse(name).name, (counts.get(parse(name).name) ?? 0) + 1);
  const taken = new Set<string>();
  const stems = new Map<string, string>();
  for (const name of names) {
    const wished = counts.get(parse(name).name) === 1 ? parse(name).name : name;
    let stem = wished;
    for (let n = 2; taken.has(stem); n++) stem = `${n}-${wished}`;
    taken.add(stem);
    stems.set(name, stem);
  }
  return stems;
}

/** How outputs are read. */
export interface OutputForm {
  /** For a person; undefined for bytes that are no text. @throws BAD_REQUEST if it is no output */
  textOf(output: Uint8Array): string | undefined;
  /** Of a fleet's pipeline: its outputs by name. */
  jsonOf?(output: Uint8Array): Json | undefined;
}

/** Fetches and keeps what was recorded, once each. */
export class Pages {
  readonly #getBlob: (hash: BlobHash) => Promise<Uint8Array>;
  readonly #outDir: string | undefined;
  readonly #form: OutputForm;
  /** Text by item, where there is no folder to put it in. */
  readonly texts = new Map<number, string>();
  /** Outputs of a fleet's pipeline, by item. */
  readonly outputs = new Map<number, Json>();
  /** Everything kept so far, by item. */
  readonly kept = new Map<number, RecordedResult>();

  constructor(
    getBlob: (hash: BlobHash) => Promise<Uint8Array>,
    { outDir, form }: { outDir: string | undefined; form: OutputForm },
  ) {
    this.#getBlob = getBlob;
    this.#outDir = outDir;
    this.#form = form;
  }

  /**
   * Keeps the results that are new: an output as it is, so that its digest is the one in the receipt, and its text beside it.
   * `names` are those of the job's inputs, as far as they are known.
   */
  async keep(results: readonly RecordedResult[], names: readonly string[]): Promise<void> {
    if (this.#outDir !== undefined) await mkdir(this.#outDir, { recursive: true });
    const stems = stemsFor(names);
    const fresh = results.filter((result) => !this.kept.has(result.item));
    await inParallel(fresh, FILES_AT_ONCE, async (result) => {
      if (result.output !== undefined) {
        const name = checkFileName(result.name, "the name of a result", LIMITS.nameBytesMax);
        await this.#keepOutput(result.item, stems.get(name) ?? name, await this.#getBlob(result.output));
      }
      this.kept.set(result.item, result);
    });
  }

  get inOrder(): RecordedResult[] {
    return [...this.kept.values()].sort((a, b) => a.item - b.item);
  }

  get failed(): RecordedResult[] {
    return this.inOrder.filter((result) => result.error);
  }

  async #keepOutput(item: number, stem: string, output: Uint8Array): Promise<void> {
    const text = this.#form.textOf(output);
    const json = this.#form.jsonOf?.(output);
    if (json !== undefined) this.outputs.set(item, json);
    if (this.#outDir === undefined) {
      this.texts.set(item, text ?? `${output.length} bytes; --out DIR writes them to a file`);
      return;
    }
    // JSON begins with a brace; tensors in their binary form, and most other bytes, do not.
    const form = output[0] === 0x7b ? "json" : "bin";
    await writeWhole(join(this.#outDir, `${stem}.${form}`), output);
    if (text === undefined) return;
    const ending = text === "" || text.endsWith("\n") ? "" : "\n";
    await writeWhole(join(this.#outDir, `${stem}.txt`), text + ending);
  }
}
