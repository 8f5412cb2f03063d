/** What a task starts from, on its way to an executor: in chunks behind the word of what is coming, and put together there. */
import type { InferenceTask } from "../../ports/index.ts";
import { type ComingPart, type ExecutorCommand, type ItemToRun, inputPartBytes } from "./protocol.ts";

/** Of its input, or of its parts. */
export const taskBytes = ({ input, parts }: InferenceTask): number =>
  parts ? parts.reduce((sum, part) => sum + (part.kind === "gap" ? 0 : part.bytes.length), 0) : input.length;

/** What is said before its bytes. */
export function announced(task: InferenceTask): ExecutorCommand & { kind: "run" } {
  const { pipeline, name, parts } = task;
  const coming = parts?.map(
    (part): ComingPart => (part.kind === "gap" ? part : { kind: part.kind, bytes: part.bytes.length }),
  );
  return { kind: "run", pipeline, name, inputBytes: taskBytes(task), ...(coming && { parts: coming }) };
}

/** Its bytes, as they are read where they are not held. */
export async function* chunksOf({ input, parts }: InferenceTask): AsyncGenerator<Uint8Array> {
  if (!parts && !(input instanceof Uint8Array)) return yield* input.read();
  const whole = parts ? parts.flatMap((part) => (part.kind === "gap" ? [] : [part.bytes])) : [input as Uint8Array];
  for (const bytes of whole)
    for (let from = 0; from < bytes.length; from += inputPartBytes) yield bytes.subarray(from, from + inputPartBytes);
}

/** The executor's side of it. */
export class ComingItem {
  readonly #item: ItemToRun;
  /** To be filled, one after the other. */
  #buffers: Uint8Array[];
  #filled = 0;

  constructor({ pipeline, name, inputBytes, parts }: ExecutorCommand & { kind: "run" }) {
    this.#buffers = [];
    const buffer = (bytes: number): Uint8Array => {
      const made = new Uint8Array(bytes);
      if (bytes > 0) this.#buffers.push(made);
      return made;
    };
    const filling = parts?.map((part) => (part.kind === "gap" ? part : { kind: part.kind, bytes: buffer(part.bytes) }));
    const input = buffer(filling ? 0 : inputBytes);
    this.#item = { pipeline, name, input, ...(filling && { parts: filling }) };
  }

  fill(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length; ) {
      const [buffer] = this.#buffers as [Uint8Array];
      const length = Math.min(bytes.length - from, buffer.length - this.#filled);
      buffer.set(bytes.subarray(from, from + length), this.#filled);
      this.#filled += length;
      from += length;
      if (this.#filled < buffer.length) return;
      this.#buffers.shift();
      this.#filled = 0;
    }
  }

  /** Once all of it is there. */
  get item(): ItemToRun | undefined {
    return this.#buffers.length === 0 ? this.#item : undefined;
  }
}
