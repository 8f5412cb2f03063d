import type { BlobHash, NodeId } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { LeasedItem, LeasedPart } from "../../../shared/peer-requests.ts";
import { encodeValues, readValues, sliceOf, type ValuesRead } from "../../../shared/pipeline/values.ts";
import type { Cancel, Clock, InferenceTask, InputPart } from "../../ports/index.ts";
import type { BlobAccess } from "../blob-access.ts";
import type { SmallInHand } from "../small-in-hand.ts";

/** Parts of one task fetched at once; of small ones many go in one request. */
const FETCHES_MAX = 16;
/** How long the list that was sliced last is kept: its next slices are wanted soon. */
const READ_KEPT_MS = 1_000;

export interface TaskInputsInit {
  clock: Clock;
  inHand: SmallInHand;
  blobAccess: BlobAccess;
  /** By this node's own ledger; none without one. */
  holdersOf: (blob: BlobHash) => NodeId[];
}

/** What a task starts from: brought here, and put as the engine takes it. */
export class TaskInputs {
  readonly #init: TaskInputsInit;
  /** Of a list that many tasks take a slice of: read for each of them, a long one would be most of their work. */
  #lastRead: { blob: BlobHash; read: Promise<ValuesRead> } | undefined;
  #letGo: Cancel = () => {};

  constructor(init: TaskInputsInit) {
    this.#init = init;
  }

  /** @throws BLOB_MISSING when nobody reachable has it whole; DISK_FULL */
  async fetch({ blob, bytes, parts }: LeasedItem, from: readonly NodeId[]): Promise<void> {
    if (!parts) return this.#fetchOne(blob, bytes, from);
    const wanted = new Map(parts.flatMap((part) => (part.kind === "gap" ? [] : [[part.blob, part.bytes] as const])));
    const queue = wanted.entries();
    const fetchSome = async (): Promise<void> => {
      for (const [one, length] of queue) await this.#fetchOne(one, length, [...this.#init.holdersOf(one), ...from]);
    };
    await Promise.all(Array.from({ length: FETCHES_MAX }, fetchSome));
  }

  /** @throws BLOB_MISSING; BAD_REQUEST where a part is not what its slice says */
  async of({ blob, parts }: LeasedItem): Promise<Pick<InferenceTask, "input" | "parts">> {
    const { inHand, blobAccess } = this.#init;
    if (!parts) return { input: inHand.kept(blob) ?? (await blobAccess.input(blob)) };
    const read: InputPart[] = [];
    for (const part of parts) read.push(await this.#part(part));
    return { input: new Uint8Array(), parts: read };
  }

  async #part(part: LeasedPart): Promise<InputPart> {
    if (part.kind === "gap") return part;
    if (part.kind === "values" && part.slice)
      return { kind: "values", bytes: sliced(await this.#read(part), part.slice) };
    return { kind: part.kind, bytes: await this.#bytes(part.blob) };
  }

  async #bytes(blob: BlobHash): Promise<Uint8Array> {
    const { inHand, blobAccess, holdersOf } = this.#init;
    return inHand.kept(blob) ?? (await blobAccess.read(blob, holdersOf(blob)));
  }

  #read({ blob, bytes }: Sized): Promise<ValuesRead> {
    if (this.#lastRead?.blob === blob) return this.#lastRead.read;
    const read = this.#bytes(blob).then(readValues);
    if (bytes > LIMITS.blobHeldBytesMax) return read;
    this.#letGo();
    const letGo = (): void => {
      if (this.#lastRead?.read === read) this.#lastRead = undefined;
    };
    this.#lastRead = { blob, read };
    // What could not be read is looked for anew by the next task.
    read.catch(letGo);
    this.#letGo = this.#init.clock.after(READ_KEPT_MS, letGo);
    return read;
  }

  async #fetchOne(blob: BlobHash, bytes: number, from: readonly NodeId[]): Promise<void> {
    if (bytes <= LIMITS.smallInHandBytesMax) await this.#init.inHand.fetch(blob, from);
    else await this.#init.blobAccess.ensureLocal(blob, from);
  }
}

/** Of the lists that the file has; what is in step with one is cut with it, and not a second time. */
function sliced(read: ValuesRead, { sources, from, to }: Slice): Uint8Array {
  const { values, inStep } = read;
  const cut = new Set<string>();
  let rest = read;
  for (const source of sources) {
    const lists = [...values.keys()].filter((key) => key === source || inStep.get(key) === source);
    if (lists.length === 0 || cut.has(source)) continue;
    if (lists.some((key) => values.get(key)?.kind !== "list")) continue;
    rest = sliceOf(rest, source, from, to);
    for (const key of lists) cut.add(key);
  }
  return encodeValues(rest.values, rest.inStep);
}

type Sized = Pick<LeasedItem, "blob" | "bytes">;
type Slice = NonNullable<Extract<LeasedPart, { kind: "values" }>["slice"]>;
