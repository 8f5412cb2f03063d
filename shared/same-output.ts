/** Whether two runs of one input came to the same, where boxes of different processors compute with different last digits. */
import { letterErrors, type PageText, readPageText } from "./page-text.ts";

/** Letters of a page's text that may differ: on two kinds of processor a letter near the threshold may be read either way. */
export const PAGE_TEXT_TOLERANCE = 0.01;

/** Why these outputs are not the same by their pipeline's tolerance, as the end of a sentence; undefined if they are. */
export function outputDifference(pipeline: string, recorded: Uint8Array, again: Uint8Array): string | undefined {
  return pipeline === "ocr" ? pageDifference(recorded, again) : "its bytes are others";
}

function pageDifference(recorded: Uint8Array, again: Uint8Array): string | undefined {
  const [page, other] = [pageOf(recorded), pageOf(again)];
  if (!page || !other) return `what is ${page ? "computed" : "recorded"} is no page's text`;
  if (page.width !== other.width || page.height !== other.height) return "the page has another size";
  const errorsMax = Math.floor(PAGE_TEXT_TOLERANCE * page.text.length);
  if (letterErrors(page.text, other.text, errorsMax) !== undefined) return undefined;
  return `more than ${100 * PAGE_TEXT_TOLERANCE} % of its ${page.text.length} letters are others`;
}

function pageOf(output: Uint8Array): PageText | undefined {
  try {
    return readPageText(output);
  } catch {
    return undefined;
  }
}
