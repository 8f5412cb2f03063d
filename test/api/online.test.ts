import { afterEach, beforeEach, expect, test } from "vitest";
import { LIMITS } from "../../shared/limits.ts";
import { readPageText } from "../../shared/page-text.ts";
import { type PretendApi, startPretendApi } from "../support/pretend-api.ts";

let pretend: PretendApi;
beforeEach(async () => {
  pretend = await startPretendApi();
});
afterEach(() => pretend.api.stop());

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test("an input goes in and its output comes out, with who made it", async () => {
  const { output, ...told } = await pretend.client.infer("ocr", "Seite ü 1.png", bytes("hello"));
  expect(readPageText(output).text).toBe("hello");
  expect(told).toEqual({ node: pretend.face.fleet().nodes[1]!.nodeId, name: "bench", durationMs: 12, attempts: 1 });
  expect(pretend.face.calls).toContain("infer ocr Seite ü 1.png");
});

test("what is wrong with the input, or with the pipeline's name, is told as it is", async () => {
  await expect(pretend.client.infer("ocr", "a.png", bytes(""))).rejects.toMatchObject({ code: "INPUT_EMPTY" });
  await expect(pretend.client.infer("nlp", "a.png", bytes("x"))).rejects.toMatchObject({ code: "UNKNOWN_PIPELINE" });
});

test("an input that is too large for it is refused before it is read to its end", async () => {
  const large = new Uint8Array(LIMITS.onlineBytesMax + 1);
  await expect(pretend.client.infer("ocr", "a.png", large)).rejects.toMatchObject({ code: "TOO_LARGE" });
  expect(pretend.face.calls.some((call) => call.startsWith("infer"))).toBe(false);
});
