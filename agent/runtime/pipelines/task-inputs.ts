import type { BlobHash, NodeId } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { LeasedItem, LeasedPart } from "../../../shared/peer-requests.ts";
import { readValues, sliceValues } from "../../../shared/pipeline/values.ts";
import type { InferenceTask, InputPart } from "../../ports/index.ts";
import type { BlobAccess } from "../blob-access.ts";
import type { SmallInHand } from "../small-in-hand.ts";

/** Parts of one task fetched at once; of small ones many go in one request. */
const FETCHES_MAX = 16;

export interface TaskInputsInit {
  inHand: SmallInHand;
  blobAccess: BlobAccess;
  /** By this node's own ledger; none without one. */
  holdersOf: (blob: BlobHash) => NodeId[];
}

/** What a task starts from: brought here, and put as the engine takes it. */
export class TaskInputs {
  readonly #init: TaskInputsInit;

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
    const { inHand, blobAccess, holdersOf } = this.#init;
    const bytes = inHand.kept(part.blob) ?? (await blobAccess.read(part.blob, holdersOf(part.blob)));
    if (part.kind === "item") return { kind: "item", bytes };
    return { kind: "values", bytes: part.slice ? sliced(bytes, part.slice) : bytes };
  }

  async #fetchOne(blob: BlobHash, bytes: number, from: readonly NodeId[]): Promise<void> {
    if (bytes <= LIMITS.smallInHandBytesMax) await this.#init.inHand.fetch(blob, from);
    else await this.#init.blobAccess.ensureLocal(blob, from);
  }
}

/** Of the lists that the file has; what is in step with one is cut with it, and not a second time. */
function sliced(file: Uint8Array, { sources, from, to }: Slice): Uint8Array {
  const { values, inStep } = readValues(file);
  const cut = new Set<string>();
  let rest = file;
  for (const source of sources) {
    const lists = [...values.keys()].filter((key) => key === source || inStep.get(key) === source);
    if (lists.length === 0 || cut.has(source)) continue;
    if (lists.some((key) => values.get(key)?.kind !== "list")) continue;
    rest = sliceValues(rest, source, from, to);
    for (const key of lists) cut.add(key);
  }
  return rest;
}

type Slice = NonNullable<Extract<LeasedPart, { kind: "values" }>["slice"]>;
