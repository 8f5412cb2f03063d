/** The text of a pipeline, YAML or JSON (which YAML 1.2 takes in), and where in it each part stands. */
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import { SkeinError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { PlaceOf, TextPlace } from "./faults.ts";

export interface PipelineText {
  /** Not checked yet: see compile.ts. */
  definition: unknown;
  placeOf: PlaceOf;
}

/** Aliases multiply: a few lines can mean gigabytes. People repeat a block some times. */
const ALIASES_MAX = 64;

/** @throws PIPELINE_INVALID, with every fault of the syntax and its place */
export function readPipeline(text: string): PipelineText {
  const { length } = new TextEncoder().encode(text);
  if (length > LIMITS.pipelineBytesMax)
    throw invalid([{ reason: `the text has ${length} bytes; the most is ${LIMITS.pipelineBytesMax}` }]);
  const lines = new LineCounter();
  const place = (offset: number | undefined): TextPlace | undefined => {
    const { line, col } = lines.linePos(offset ?? 0);
    return line > 0 ? { line, column: col } : undefined;
  };
  return legible(() => {
    // Faults of the syntax are told here, with places of our own; `stringKeys` refuses a key that is a list or a number.
    const document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      stringKeys: true,
      logLevel: "error",
    });
    const wrong = [...document.errors, ...document.warnings];
    if (wrong.length > 0)
      throw invalid(wrong.map(({ message, pos }) => ({ ...place(pos[0]), reason: message.replace(/\.$/, "") })));
    const definition: unknown = document.toJS({ maxAliasCount: ALIASES_MAX });
    return { definition, placeOf: (at) => place(offsetOf(document, at)) };
  });
}

/** What nests too deep, or repeats too much, comes as an error of another kind. */
function legible<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) throw invalid([{ reason: "it nests too deep" }]);
    if (error instanceof ReferenceError) throw invalid([{ reason: "it repeats parts of itself too often" }]);
    throw error;
  }
}

/** Where a part begins; of one that is not there, where what it should be in begins. */
function offsetOf(document: Document.Parsed, at: readonly (string | number)[]): number | undefined {
  let node: unknown = document.contents;
  let offset: number | undefined;
  for (const key of at) {
    const into = isAlias(node) ? node.resolve(document) : node;
    if (isMap(into)) {
      const pair = into.items.find((one) => isScalar(one.key) && one.key.value === key);
      if (!pair) break;
      offset = (pair.key as Node).range?.[0];
      node = pair.value;
    } else if (isSeq(into) && typeof key === "number" && into.items[key] !== undefined) {
      node = into.items[key];
      offset = (node as Node).range?.[0];
    } else break;
  }
  return offset;
}

const invalid = (faults: ({ reason: string } & Partial<TextPlace>)[]): SkeinError =>
  new SkeinError("PIPELINE_INVALID", {
    pipeline: "that was given",
    faults: faults.slice(0, LIMITS.pipelineFaultsMax).map((fault) => ({ path: "", ...fault })),
  });
