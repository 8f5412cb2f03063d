/**
 * Histories of a map from key to text, every key beginning as "": what clients asked and heard, in the order of real time.
 * As text, one event a line, in the words of Jepsen and porcupine: `{:process 1, :type :invoke, :f :put, :key "k", :value "v"}`.
 */

export type Verb = "get" | "put" | "append";

export interface Operation {
  process: string;
  verb: Verb;
  key: string;
  /** What was written, or what was read. */
  value: string;
  /** Places in the history. An operation of which nobody knows how it ended may still take effect: it ends at Infinity. */
  startsAt: number;
  endsAt: number;
}

const EVENT =
  /^\{:process (\S+), :type :(invoke|ok|fail|info), :f :(get|put|append), :key ("(?:[^"\\]|\\.)*"), :value (nil|"(?:[^"\\]|\\.)*")\}$/;

/** Keeps the events of a history as they happen, each operation a process of its own if need be. */
export class Recorder {
  readonly #open = new Map<string, Operation>();
  readonly operations: Operation[] = [];
  readonly lines: string[] = [];
  #events = 0;

  invoke(process: string, verb: Verb, key: string, value: string | undefined): void {
    this.#tell(process, "invoke", verb, key, value);
    // One that was still open has an unknown end, and counts as that.
    const operation = {
      process,
      verb,
      key,
      value: value ?? "",
      startsAt: this.#events++,
      endsAt: Number.POSITIVE_INFINITY,
    };
    this.#open.set(process, operation);
    if (verb !== "get") this.operations.push(operation);
  }

  /** It was done; `value` is what a get read. */
  ok(process: string, value?: string): void {
    const operation = this.#close(process, "ok", value);
    operation.endsAt = this.#events++;
    if (operation.verb !== "get") return;
    operation.value = value ?? "";
    this.operations.push(operation);
  }

  /** It failed, or nobody knows: a get says nothing then, and a write may take effect at any later time or never. */
  lost(process: string, type: "fail" | "info"): void {
    this.#close(process, type);
    this.#events++;
  }

  #close(process: string, type: string, value?: string): Operation {
    const operation = this.#open.get(process);
    if (!operation) throw new Error(`event ${this.#events}: process ${process} ends what it did not begin`);
    this.#open.delete(process);
    this.#tell(process, type, operation.verb, operation.key, operation.verb === "get" ? value : operation.value);
    return operation;
  }

  #tell(process: string, type: string, verb: Verb, key: string, value: string | undefined): void {
    const text = value === undefined ? "nil" : JSON.stringify(value);
    this.lines.push(`{:process ${process}, :type :${type}, :f :${verb}, :key ${JSON.stringify(key)}, :value ${text}}`);
  }
}

/** @throws Error naming the line that is none of a history. */
export function readHistory(text: string): Operation[] {
  const recorder = new Recorder();
  for (const [i, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const [, process, type, verb, key, value] = line.trim().match(EVENT) ?? [];
    if (!process) throw new Error(`line ${i + 1} is no event of a history: ${line.slice(0, 200)}`);
    const read = value === "nil" ? undefined : (JSON.parse(value!) as string);
    if (type === "invoke") recorder.invoke(process, verb as Verb, JSON.parse(key!) as string, read);
    else if (type === "ok") recorder.ok(process, read);
    else recorder.lost(process, type as "fail" | "info");
  }
  return recorder.operations;
}

export function byKey(operations: readonly Operation[]): Map<string, Operation[]> {
  const keys = new Map<string, Operation[]>();
  for (const operation of operations) {
    const known = keys.get(operation.key);
    if (known) known.push(operation);
    else keys.set(operation.key, [operation]);
  }
  return keys;
}
