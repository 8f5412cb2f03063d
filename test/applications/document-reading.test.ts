/** Reading of pages by stages, through the code that executors run, against the pipeline that reads them in one piece. */
import { readFile } from "node:fs/promises";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RunningPipeline } from "../../agent/applications/training/running.ts";
import { loadOcrPipeline } from "../../agent/io/inference/ocr/pipeline.ts";
import type { Pipeline } from "../../agent/io/inference/protocol.ts";
import { type SamplePage, samplePages } from "../../agent/io/inference/samples.ts";
import { type PageText, readPageText, wordRecall } from "../../shared/page-text.ts";

const FOLDER = new URL("../../agent/applications/document-reading/", import.meta.url);
/** The short ones: all twelve take a minute. */
const PAGES = ["label.jpg", "notice.png", "receipt.jpg", "timetable.png"];
let reading: RunningPipeline;
let ocr: Pipeline;
let pages: SamplePage[];
beforeAll(async () => {
  reading = await RunningPipeline.open(FOLDER);
  ocr = await loadOcrPipeline();
  pages = (await samplePages()).filter(({ name }) => PAGES.includes(name));
}, 60_000);
afterAll(() => reading.close());

const read = async (bytes: Uint8Array): Promise<PageText> =>
  (await reading.run({ page: { kind: "bytes", bytes } })).page as unknown as PageText;

test("a page reads as by the built-in pipeline, box by box and score by score", async () => {
  const recalls: number[] = [];
  for (const { name, path, truth } of pages) {
    const bytes = await readFile(path);
    const page = await read(bytes);
    expect(page, name).toEqual(readPageText(await ocr.run(bytes, name)));
    recalls.push(wordRecall(truth, page.text));
  }
  expect(recalls).toHaveLength(PAGES.length);
  expect(Math.min(...recalls)).toBeGreaterThan(0.94);
}, 60_000);

test("a page that lies upside down is read too, where the built-in pipeline reads next to nothing", async () => {
  const [, , receipt] = pages as [SamplePage, SamplePage, SamplePage];
  const turned = new Uint8Array(await sharp(receipt.path).autoOrient().rotate(180).png().toBuffer());
  const page = await read(turned);
  expect(page.text.split("\n")[0]).toBe(receipt.truth.split("\n")[0]);
  expect(wordRecall(receipt.truth, page.text)).toBeGreaterThan(0.98);
  const unturned = readPageText(await ocr.run(turned, receipt.name));
  expect(wordRecall(receipt.truth, unturned.text)).toBeLessThan(0.1);
}, 60_000);

test("a page with nothing on it is an empty text", async () => {
  const blank = { width: 300, height: 400, channels: 3, background: "#fff" } as const;
  const page = await read(new Uint8Array(await sharp({ create: blank }).png().toBuffer()));
  expect(page).toEqual({ version: 1, width: 300, height: 400, text: "", lines: [] });
});
