import { SkeinError } from "./errors.ts";

/** One line of text on a page. */
export interface PageLine {
  text: string;
  /** Mean probability of its characters, 0 to 1. */
  score: number;
  /** Upright rectangle around it in pixels of the image: left, top, width, height. */
  box: [x: number, y: number, width: number, height: number];
}

/** What the `ocr` pipeline makes of one image. */
export interface PageText {
  version: 1;
  /** Of the image as a person sees it (turned upright), in pixels. */
  width: number;
  height: number;
  /** The whole page in reading order, lines separated by newlines. */
  text: string;
  lines: PageLine[];
}

/** The one way to write a page down: fixed key order, scores to three places, whole pixels. Equal pages are equal bytes. */
export function writePageText(page: PageText): Uint8Array {
  const lines = page.lines.map(({ text, score, box }) => ({
    text,
    score: Math.round(score * 1000) / 1000,
    box: box.map(Math.round),
  }));
  const { version, width, height, text } = page;
  return new TextEncoder().encode(JSON.stringify({ version, width, height, text, lines }));
}

const isLength = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function isPageLine(value: unknown): value is PageLine {
  const { text, score, box } = (value ?? {}) as Partial<PageLine>;
  return (
    typeof text === "string" &&
    typeof score === "number" &&
    score >= 0 &&
    score <= 1 &&
    Array.isArray(box) &&
    box.length === 4 &&
    box.every(Number.isSafeInteger)
  );
}

/** Reads an output of the `ocr` pipeline. @throws BAD_REQUEST for anything else. */
export function readPageText(bytes: Uint8Array): PageText {
  let page: Partial<PageText> | null;
  try {
    page = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as Partial<PageText> | null;
  } catch (error) {
    throw new SkeinError("BAD_REQUEST", { reason: "a page's text is not JSON" }, { cause: error });
  }
  const { version, width, height, text, lines } = page ?? {};
  if (version !== 1) throw new SkeinError("BAD_REQUEST", { reason: `a page's text of version ${String(version)}` });
  if (!isLength(width) || !isLength(height) || typeof text !== "string")
    throw new SkeinError("BAD_REQUEST", { reason: "a page's text without its size or text" });
  if (!Array.isArray(lines) || !lines.every(isPageLine))
    throw new SkeinError("BAD_REQUEST", { reason: "a page's text with a line that is not one" });
  return { version, width, height, text, lines };
}

const wordsOf = (text: string): string[] => text.normalize("NFKC").split(/\s+/).filter(Boolean);

/**
 * Share of the words of `truth` that `text` has too, 0 to 1, each word of `text` used once. Words are what stands between
 * spaces; capitals and punctuation count, order does not. 1 where there is nothing to find.
 */
export function wordRecall(truth: string, text: string): number {
  const left = new Map<string, number>();
  for (const word of wordsOf(text)) left.set(word, (left.get(word) ?? 0) + 1);
  const wanted = wordsOf(truth);
  let found = 0;
  for (const word of wanted) {
    const count = left.get(word) ?? 0;
    if (count === 0) continue;
    left.set(word, count - 1);
    found++;
  }
  return wanted.length === 0 ? 1 : found / wanted.length;
}

/**
 * Letters that must be changed, put in or left out to make one text of the other (Levenshtein), by UTF-16 units, as long
 * as it is at most `errorsMax`; undefined for more. Takes time and memory in proportion to the text times `errorsMax`.
 */
export function letterErrors(a: string, b: string, errorsMax: number): number | undefined {
  if (Math.abs(a.length - b.length) > errorsMax) return undefined;
  // Of a row only what is at most `errorsMax` from the diagonal can be part of so short a way; beside it stands infinity.
  let above = Float64Array.from({ length: b.length + 2 }, (_, column) => (column <= errorsMax ? column : Infinity));
  let below = new Float64Array(b.length + 2);
  for (let row = 1; row <= a.length; row++) {
    const [first, last] = [Math.max(1, row - errorsMax), Math.min(b.length, row + errorsMax)];
    below[first - 1] = first === 1 && row <= errorsMax ? row : Infinity;
    below[last + 1] = Infinity;
    for (let column = first; column <= last; column++) {
      const changed = above[column - 1]! + Number(a[row - 1] !== b[column - 1]);
      below[column] = Math.min(changed, above[column]! + 1, below[column - 1]! + 1);
    }
    [above, below] = [below, above];
  }
  const errors = above[b.length]!;
  return errors <= errorsMax ? errors : undefined;
}
