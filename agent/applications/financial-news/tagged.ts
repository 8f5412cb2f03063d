/** Sentences whose words are labelled, as CoNLL files have them, and their words as the operator text/words@1 would take them. */
import { readFileSync } from "node:fs";
import { wordsOf } from "../../../shared/text/words.ts";
import { bestOf } from "../training/texts.ts";

export const TAGS = ["O", "I-PER", "I-ORG", "I-LOC", "I-MISC"];

export interface TaggedSentence {
  /** As the corpus takes them apart. */
  tokens: string[];
  /** Of each token, its place in TAGS. */
  tags: number[];
  /** As shared/text takes them apart: a token of the corpus is one or more of these. */
  words: string[];
  /** Of each word, the token it is of. */
  tokenOf: number[];
}

/** One token a line, its tag last; an empty line ends a sentence. */
export function taggedSentences(file: string): TaggedSentence[] {
  const text = readFileSync(new URL(`data/${file}`, import.meta.url), "utf8");
  return text
    .split(/\r?\n\s*\r?\n/)
    .map((lines) => lines.split(/\r?\n/).filter((line) => line.trim() !== "" && !line.startsWith("-DOCSTART-")))
    .filter((lines) => lines.length > 0)
    .map(sentenceOf);
}

function sentenceOf(lines: readonly string[]): TaggedSentence {
  const fields = lines.map((line) => line.trim().split(" "));
  const tokens = fields.map(([token = ""]) => token);
  const tags = fields.map((field) => TAGS.indexOf(field.at(-1)!.replace(/^B-/, "I-")));
  if (tags.includes(-1)) throw new Error(`a tag that is not among ${TAGS.join(", ")}: ${lines.join(" / ")}`);
  const parts = tokens.map((token) => wordsOf(token).map(({ text }) => text));
  return { tokens, tags, words: parts.flat(), tokenOf: parts.flatMap((words, token) => words.map(() => token)) };
}

/** Spans of one tag, each as "from-to:tag"; two neighbours of one tag cannot be told apart in these files. */
export function spansOf(tags: readonly number[]): string[] {
  const spans: string[] = [];
  let from = 0;
  for (let at = 1; at <= tags.length; at++) {
    if (tags[at] === tags[from]) continue;
    if (tags[from] !== 0) spans.push(`${from}-${at}:${tags[from]}`);
    from = at;
  }
  return spans;
}

/** Precision and recall of whole spans, as CoNLL 2003 scores them; MISC counts as the other kinds do. */
export function spanScores(truth: readonly number[][], given: readonly number[][]) {
  let [right, known, found] = [0, 0, 0];
  truth.forEach((tags, i) => {
    const wanted = new Set(spansOf(tags));
    const spans = spansOf(given[i]!);
    known += wanted.size;
    found += spans.length;
    right += spans.filter((span) => wanted.has(span)).length;
  });
  const [precision, recall] = [right / (found || 1), right / (known || 1)];
  return { precision, recall, f1: (2 * right) / (known + found || 1) };
}

/** The tag of a token is that of its first word. */
export const tokenTags = ({ tokens, tokenOf }: TaggedSentence, wordTags: ArrayLike<number>): number[] =>
  tokens.map((_, token) => wordTags[tokenOf.indexOf(token)] ?? 0);

/** The simplest thing to compare with: each token by the tag it has most often in training, O if it never stood there. */
export function commonTags(train: readonly TaggedSentence[]): (tokens: readonly string[]) => number[] {
  const counts = new Map<string, number[]>();
  for (const { tokens, tags } of train)
    tokens.forEach((token, i) => {
      const own = counts.get(token) ?? TAGS.map(() => 0);
      own[tags[i]!]!++;
      counts.set(token, own);
    });
  return (tokens) => tokens.map((token) => bestOf(counts.get(token) ?? [1]));
}
