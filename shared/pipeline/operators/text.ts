import type { OperatorSpec, ParameterSpec } from "../operators.ts";

const text = { type: "text", says: "as people write it" };
const IDS = "INT64[1,-1]";
const lengthMax: ParameterSpec = {
  type: "integer",
  says: "ids at most; the rest is cut off",
  min: 1,
  max: 16_384,
  default: 512,
};

const VOCABULARY = {
  says: 'JSON: {"words": [the word of id 2, …], "buckets"?: ids for runs, "wordNgrams"?: [2, …], "letterNgrams"?: [3, …]}',
};

const fromTokenizer = (name: string, what: string): OperatorSpec => ({
  name,
  says: `Ids of a text by ${what}, as a tokenizer.json of Hugging Face describes it.`,
  inputs: { text },
  outputs: {
    ids: { type: IDS, says: "one for each token" },
    mask: { type: IDS, says: "1 for each" },
    types: { type: IDS, says: "0 for each" },
    tokens: { type: "json", says: "the tokens as texts" },
  },
  parameters: {
    lengthMax,
    special: { type: "boolean", says: "with the tokens that the model puts before and behind a text", default: true },
  },
  files: { tokenizer: { says: "tokenizer.json" } },
});

export const TEXTS: OperatorSpec[] = [
  {
    name: "text/ngrams@1",
    says: "Ids of the words of a text, and of its runs of words and letters: words by a vocabulary, runs by their hash.",
    inputs: { text },
    outputs: { ids: { type: IDS, says: "at least one; 1 is an unknown word" } },
    parameters: { lengthMax: { ...lengthMax, max: 65_536, default: 4_096 } },
    files: { vocabulary: VOCABULARY },
  },
  {
    name: "text/words@1",
    says: "The words of a text as a tagger takes them: ids by a vocabulary, and what each looks like. A text without words gives one unknown word of no letters.",
    inputs: { text },
    outputs: {
      tokens: { type: "json", says: '[{"text", "from", "to"}]: where each stands in the text, in UTF-16 units' },
      ids: { type: IDS, says: "1 is an unknown word" },
      shapes: {
        type: "FP32[1,-1,7]",
        says: "capital first, all capitals, has a digit, not of letters and digits, longer than 8, ends in a full stop, known",
      },
      affixes: {
        type: "INT64[1,-1,4]",
        says: "its first 2 and 3 letters and its last 2 and 3, by their hash, from 1; 0 without buckets",
      },
    },
    parameters: { lengthMax },
    files: { vocabulary: VOCABULARY },
  },
  {
    name: "text/entities@1",
    says: "Names in a text from a score for each word and label, labels being O, B-KIND and I-KIND (IOB2; an I after another kind begins a name too).",
    inputs: {
      tokens: { type: "json", says: "of text/words" },
      scores: { type: "FP32[1,-1,-1]", says: "for each token and label" },
      text: { type: "text", optional: true, says: "names are then cut out of it, as they stand there" },
    },
    outputs: {
      entities: {
        type: "json",
        says: '[{"text", "label", "from", "to", "score"}]; the score is the mean probability of its words',
      },
      byLabel: { type: "json", says: "an object: by label its texts, each once" },
      count: { type: "number", says: "how many" },
    },
    parameters: { labels: { type: "texts", says: "labels, where no file has them", default: [] } },
    files: { labels: { optional: true, says: "one label a line" } },
  },
  fromTokenizer("text/wordpiece@1", "WordPiece (BERT)"),
  fromTokenizer("text/bpe@1", "byte pair encoding (GPT-2, RoBERTa, SentencePiece-BPE)"),
  {
    name: "text/template@1",
    says: "A text with facts filled in: each {name} becomes the field of that name, {a.b} the field b of the field a.",
    inputs: {
      fields: { type: "json", optional: true, says: "an object" },
      key: { type: "text", optional: true, says: "which template" },
    },
    outputs: { text: { type: "text", says: "the template, filled in" } },
    parameters: {
      templates: {
        type: "json",
        says: "an object: templates by key; or one text, where no key is needed",
        default: {},
      },
      otherwise: {
        type: "text",
        says: "key of the template for keys that have none; empty: that is an error",
        default: "",
      },
      missing: { type: "json", says: "a text for fields that are not there; null: that is an error", default: null },
    },
    files: { templates: { optional: true, says: "a JSON object: templates by key" } },
  },
  {
    name: "text/ctc@1",
    says: "Text from a recogniser's probabilities for each step and character: the best of each step, repeats joined, blanks dropped (greedy CTC).",
    inputs: {
      probabilities: {
        type: "FP32[1,-1,-1]",
        says: "steps, then classes: the blank, the alphabet, and the space if it has one",
      },
    },
    outputs: {
      text: { type: "text", says: "what is read" },
      score: { type: "number", says: "mean probability of its characters, 0 to 1; 0 of none" },
    },
    parameters: {
      space: { type: "boolean", says: "the last class, behind the alphabet, is the space", default: true },
    },
    files: { alphabet: { says: "one character a line" } },
  },
];
