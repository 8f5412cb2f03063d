import { Tokenizer } from "@huggingface/tokenizers";
import { parsedJson } from "./json.ts";
import type { Implementation } from "./operator.ts";
import { isRecord, refuseInput } from "./ports.ts";
import { idsValue } from "./text.ts";
import { json } from "./values.ts";

/** Units of a text: more than the most ids make of it is not worth reading, and what a tokenizer does grows with it. */
const textMax = 65_536;

/** WordPiece or BPE, as the file says; the operator's name says which it must be, so that a stage does what it reads as. */
function tokenizing(operator: string, model: "WordPiece" | "BPE"): Implementation {
  return ({ lengthMax, special }, files) => {
    const described = parsedJson(files.tokenizer!, "its file tokenizer", operator);
    const type = isRecord(described) && isRecord(described.model) ? described.model.type : undefined;
    if (type !== model)
      refuseInput(operator, `its file tokenizer must be of a ${model} model, not ${JSON.stringify(type ?? null)}`);
    const tokenizer = openTokenizer(operator, described as object);
    return (ports) => {
      const text = ports.text("text");
      if (text.length > textMax) ports.refuse("text", `must have at most ${textMax} letters, not ${text.length}`);
      const encoded = (marked: boolean): Encoded => tokenizer.encode(text, { add_special_tokens: marked });
      const plain = encoded(false);
      const { ids, tokens } = shortened(special === true ? encoded(true) : plain, plain, lengthMax as number);
      if (!ids.every(Number.isSafeInteger)) ports.refuse("text", "has a token that the vocabulary does not have");
      return {
        ids: idsValue(ids),
        mask: idsValue(ids.map(() => 1)),
        types: idsValue(ids.map(() => 0)),
        tokens: json(tokens),
      };
    };
  };
}

function openTokenizer(operator: string, described: object): Tokenizer {
  try {
    return new Tokenizer(described, {});
  } catch (error) {
    return refuseInput(operator, `its file tokenizer cannot be used: ${(error as Error).message}`, error);
  }
}

interface Encoded {
  ids: number[];
  tokens: string[];
}

/** What is too long still ends in the tokens that the model puts behind every text: models were trained so. */
function shortened(whole: Encoded, plain: Encoded, lengthMax: number): Encoded {
  if (whole.ids.length <= lengthMax) return whole;
  const added = whole.ids.length - plain.ids.length;
  let behind = 0;
  while (behind < added && whole.ids.at(-1 - behind) !== plain.ids.at(-1)) behind++;
  const cut = <T>(all: readonly T[]): T[] =>
    [...all.slice(0, Math.max(0, lengthMax - behind)), ...all.slice(all.length - behind)].slice(0, lengthMax);
  return { ids: cut(whole.ids), tokens: cut(whole.tokens) };
}

export const TOKENIZERS: Record<string, Implementation> = {
  "text/wordpiece@1": tokenizing("text/wordpiece@1", "WordPiece"),
  "text/bpe@1": tokenizing("text/bpe@1", "BPE"),
};
