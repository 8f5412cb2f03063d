/** From what a task is given to the values that its stages take. */
import { checkKeys, checkList, checkRecord, checkText, checkWhole, refuse } from "../../../../shared/checks.ts";
import { ERRORS, type ErrorCode, SkeinError } from "../../../../shared/errors.ts";
import { LIMITS } from "../../../../shared/limits.ts";
import { unpack } from "../../../../shared/pipeline/casts.ts";
import type { Segment } from "../../../../shared/pipeline/compiled.ts";
import { readItem, type Skipped } from "../../../../shared/pipeline/item.ts";
import { segmentNamed, sourceKey } from "../../../../shared/pipeline/segment.ts";
import {
  decodeValues,
  firstElements,
  NONE,
  SKIPPED_KEY,
  type Value,
  type Values,
} from "../../../../shared/pipeline/values.ts";
import type { InputPart } from "../../../ports/index.ts";
import { type SegmentItem, type SegmentTask, SkippedList } from "./item.ts";

/**
 * Lists of one key in several parts become one; where elements are missing they are none, with the record that says so.
 * @throws INPUT_EMPTY, INPUT_INVALID with the part and the reason
 */
export function assembled(segment: Segment, { name, parts }: SegmentTask): SegmentItem {
  const assembly = new Assembly(segment, name);
  for (const [n, part] of parts.entries()) {
    try {
      assembly.add(part);
    } catch (error) {
      throw invalid(segment, name, `part ${n + 1} of ${parts.length}`, error);
    }
  }
  try {
    return assembly.finish();
  } catch (error) {
    throw invalid(segment, name, "its parts", error);
  }
}

function invalid({ name: pipeline }: Segment, name: string, where: string, error: unknown): SkeinError {
  const known = SkeinError.from(error);
  if (known.code !== "BAD_REQUEST") return known;
  const reason = `${where}: ${known.facts.reason}`;
  return new SkeinError("INPUT_INVALID", { name, pipeline, reason }, { cause: error });
}

class Assembly {
  readonly #segment: Segment;
  readonly #name: string;
  readonly #wanted: ReadonlySet<string>;
  readonly #values: Values = new Map();
  readonly #first = new Map<string, number>();
  readonly #skipped = new SkippedList();

  constructor(segment: Segment, name: string) {
    this.#segment = segment;
    this.#name = name;
    this.#wanted = new Set(segment.takes.map(sourceKey));
  }

  add(part: InputPart): void {
    if (part.kind === "item") {
      for (const [key, value] of readItem(this.#segment.pipeline, part.bytes, this.#name)) this.#put(key, value);
    } else if (part.kind === "gap") this.#addGap(part.segment, part.elements);
    else this.#addValues(decodeValues(part.bytes));
  }

  #addValues(values: Values): void {
    for (const one of readSkipped(values.get(SKIPPED_KEY))) this.#skipped.add(one);
    // Of parts that lie one behind the other, where the first begins.
    for (const [key, at] of firstElements(values)) if (!this.#first.has(key)) this.#first.set(key, at);
    for (const [key, value] of values) this.#put(key, unpack(value));
  }

  #put(key: string, value: Value): void {
    if (!this.#wanted.has(key)) return;
    const before = this.#values.get(key);
    if (!before) this.#values.set(key, value.kind === "list" ? { kind: "list", elements: [...value.elements] } : value);
    else if (before.kind === "list" && value.kind === "list") {
      if (before.elements.length + value.elements.length > LIMITS.fanOutMax)
        refuse(key, `must have at most ${LIMITS.fanOutMax} elements in all its parts`);
      for (const one of value.elements) before.elements.push(one);
    } else refuse(key, "must not come in several parts: it is no list");
  }

  #addGap(name: string, elements: number): void {
    const { pipeline } = this.#segment;
    const missing = segmentNamed(pipeline, name);
    const gives = missing.gives.filter((source) => this.#wanted.has(sourceKey(source)));
    let first = 0;
    for (const source of gives) {
      const isList = pipeline.stages[source.stage]!.map.length > 0;
      const before = this.#values.get(sourceKey(source));
      if (isList && before?.kind === "list") first = before.elements.length;
      const gap: Value[] = Array.from({ length: isList ? elements : 0 }, () => NONE);
      this.#put(sourceKey(source), isList ? { kind: "list", elements: gap } : NONE);
    }
    // Of an empty list: nothing is missing of it.
    if (elements === 0) return;
    const stage = missing.stages.map((place) => pipeline.stages[place]!.name).join(", ");
    const message = `${elements === 1 ? "It" : `They, ${elements} from here on,`} could not be run at all.`;
    const element = missing.over ? { element: first } : {};
    this.#skipped.add({ stage, ...element, error: { code: "ITEM_QUARANTINED", message } });
  }

  finish(): SegmentItem {
    const { takes, pipeline } = this.#segment;
    for (const source of takes) {
      const key = sourceKey(source);
      if (this.#values.has(key)) continue;
      // A list of no elements is run by nobody, so that nobody gives it.
      if ((pipeline.stages[source.stage]?.map.length ?? 0) === 0) refuse(key, "must be in one of them");
      this.#values.set(key, { kind: "list", elements: [] });
    }
    const { reference } = pipeline;
    return {
      name: this.#name,
      pipeline: reference,
      values: this.#values,
      skipped: this.#skipped,
      first: this.#first,
      stages: [],
    };
  }
}

function readSkipped(value: Value | undefined): Skipped[] {
  if (value === undefined) return [];
  const said = value.kind === "json" ? value.json : undefined;
  return checkList(said, SKIPPED_KEY, LIMITS.skippedToldMax, (one, path): Skipped => {
    const record = checkRecord(one, path);
    checkKeys(record, path, ["stage", "element", "error"]);
    const error = checkRecord(record.error, `${path}.error`);
    const code = checkText(error.code, `${path}.error.code`, LIMITS.nameBytesMax);
    if (!Object.hasOwn(ERRORS, code)) refuse(`${path}.error.code`, "must be one of the codes of errors");
    return {
      stage: checkText(record.stage, `${path}.stage`, LIMITS.errorMessageBytesMax),
      ...(record.element !== undefined && { element: checkWhole(record.element, `${path}.element`, 0) }),
      error: {
        code: code as ErrorCode,
        message: checkText(error.message, `${path}.error.message`, LIMITS.errorMessageBytesMax),
      },
    };
  });
}
