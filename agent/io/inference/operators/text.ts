import { SkeinError } from "../../../../shared/errors.ts";
import type { Json } from "../../../../shared/pipeline/definition.ts";
import type { Value } from "../../../../shared/pipeline/values.ts";
import { ngramIds, readVocabulary, type WordTable } from "../../../../shared/text/ngrams.ts";
import { AFFIXES, affixIds, SHAPE_FEATURES, wordIds, wordShapes, wordsOf } from "../../../../shared/text/words.ts";
import { decodeCtc } from "../ocr/ctc.ts";
import { fieldOf, inWords, linesOf, parsedJson } from "./json.ts";
import type { Implementation } from "./operator.ts";
import { isRecord, type Ports, refuseInput } from "./ports.ts";
import { floats, json, tensor } from "./values.ts";

/** Units of a text that is filled in. */
const filledMax = 1_000_000;

export const idsValue = (ids: readonly number[], columns?: number): Value => {
  const shape = columns === undefined ? [1, ids.length] : [1, ids.length / columns, columns];
  return tensor("INT64", shape, BigInt64Array.from(ids, BigInt));
};

function vocabularyOf(operator: string, files: Record<string, Uint8Array>): WordTable {
  try {
    return readVocabulary(new TextDecoder().decode(files.vocabulary));
  } catch (error) {
    return refuseInput(operator, `its file is wrong: ${String(SkeinError.from(error).facts.reason)}`, error);
  }
}

const NOTHING = { text: "", from: 0, to: 0 };

/** By key; under "" the only one, where no key is needed. @throws INPUT_INVALID */
function templatesOf(given: Json): Map<string, string> {
  const wrong = (): never =>
    refuseInput("text/template@1", "its templates must be a text, or an object of texts by key, and at least one");
  if (typeof given === "string") return new Map([["", given]]);
  const entries = isRecord(given) ? Object.entries(given) : wrong();
  if (entries.length === 0 || !entries.every((entry): entry is [string, string] => typeof entry[1] === "string"))
    return wrong();
  return new Map(entries);
}

/** {a.b} becomes the field b of the field a; {{ is a brace. */
function filled(ports: Ports, template: string, fields: Json, missing: Json): string {
  const text = template.replace(/\{\{|\{([^{}]+)\}/g, (whole, path: string | undefined) => {
    if (path === undefined) return "{";
    const value = fieldOf(fields, path);
    if (value === undefined && typeof missing !== "string")
      ports.refuse("fields", `has no ${path}, which ${whole} is to be`);
    return value === undefined ? (missing as string) : inWords(value);
  });
  return text.length <= filledMax ? text : ports.refuse("fields", `make a text of more than ${filledMax} letters`);
}

export const TEXTS: Record<string, Implementation> = {
  "text/ngrams@1": ({ lengthMax }, files) => {
    const table = vocabularyOf("text/ngrams@1", files);
    return (ports) => ({ ids: idsValue(ngramIds(ports.text("text"), table).slice(0, lengthMax as number)) });
  },
  "text/words@1": ({ lengthMax }, files) => {
    const table = vocabularyOf("text/words@1", files);
    return (ports) => {
      const found = wordsOf(ports.text("text")).slice(0, lengthMax as number);
      const words = found.length > 0 ? found : [NOTHING];
      const texts = words.map(({ text }) => text);
      const affixes =
        table.buckets > 0 ? affixIds(texts, table) : texts.flatMap(() => Array.from({ length: AFFIXES }, () => 0));
      return {
        tokens: json(words.map(({ text, from, to }) => ({ text, from, to }))),
        ids: idsValue(wordIds(texts, table)),
        shapes: floats([1, words.length, SHAPE_FEATURES], Float32Array.from(wordShapes(texts, table))),
        affixes: idsValue(affixes, AFFIXES),
      };
    };
  },
  "text/template@1": ({ templates, otherwise, missing }, files) => {
    const known = templatesOf(
      files.templates ? parsedJson(files.templates, "its file templates", "text/template@1") : templates!,
    );
    if (otherwise !== "" && !known.has(otherwise as string))
      refuseInput(
        "text/template@1",
        `it has no template ${JSON.stringify(otherwise)}, which is for all keys that have none`,
      );
    return (ports) => {
      const key = ports.has("key") ? ports.text("key") : "";
      const template =
        known.get(key) ??
        known.get(otherwise as string) ??
        ports.refuse("key", `is ${JSON.stringify(key.slice(0, 60))}, for which there is no template`);
      const fields = ports.has("fields") ? ports.record("fields") : {};
      return { text: json(filled(ports, template, fields, missing!)) };
    };
  },
  "text/ctc@1": ({ space }, files) => {
    const hasSpace = space as boolean;
    const alphabet = linesOf(files.alphabet!);
    const characters = ["", ...alphabet, ...(hasSpace ? [" "] : [])];
    return (ports) => {
      const { elements } = ports.floats("probabilities", [1, -1, characters.length]);
      const { text, score } = decodeCtc(elements, characters, hasSpace);
      return { text: json(text), score: json(Math.min(1, Math.max(0, score))) };
    };
  },
};
