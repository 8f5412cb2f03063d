/** The multi-modal ticket: each leg against labels of its own, the route against a table written by hand for made-up pairings. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { csvRecords } from "../../agent/applications/training/csv.ts";
import { RunningPipeline } from "../../agent/applications/training/running.ts";
import type { Json } from "../../shared/pipeline/definition.ts";

const FOLDER = new URL("../../agent/applications/ticket/", import.meta.url);
const SAMPLES = new URL("samples/", FOLDER);
const records = (file: string) => csvRecords(readFileSync(new URL(file, SAMPLES), "utf8"));
const truth = records("truth.csv");

interface Outcome {
  route: string;
  reason: string;
  attachment: string;
  "picture-text": string;
  facts: { picture: string; voice: { language?: string; speech: number; kind: string }; text: { intent: string } };
}
const outcomes = new Map<string, Outcome>();
const pictures = new Map<string, string>();

let ticket: RunningPipeline;
beforeAll(async () => {
  const beside = ["document-reading", "audio", "customer-service"].map((name) => new URL(`../${name}/`, FOLDER));
  ticket = await RunningPipeline.open(FOLDER, { beside });
  for (const { id, picture, voice, text } of records("tickets.csv")) {
    const bytes = (path: string) => ({ kind: "bytes" as const, bytes: readFileSync(new URL(path, SAMPLES)) });
    const json: Json = text!;
    const outcome = await ticket.run({ picture: bytes(picture!), voice: bytes(voice!), text: { kind: "json", json } });
    outcomes.set(id!, outcome as unknown as Outcome);
    pictures.set(id!, readFileSync(new URL(picture!.replace(/\.\w+$/, ".txt"), SAMPLES), "utf8"));
  }
});
afterAll(() => ticket.close());

test("the picture leg reads at least 95 % of the words that are on the pictures", () => {
  const shares = [...outcomes].map(([id, outcome]) => {
    const words = pictures.get(id)!.split(/\s+/).filter(Boolean);
    const read = new Set(outcome["picture-text"].split(/\s+/));
    return words.filter((word) => read.has(word)).length / words.length;
  });
  expect(shares.reduce((sum, share) => sum + share) / shares.length).toBeGreaterThan(0.95);
});

test("the voice leg tells the language of all that speak, and none of music and noise", () => {
  const told = truth.map(({ id }) => outcomes.get(id!)!.facts.voice.language ?? "none");
  expect(told).toEqual(truth.map(({ language }) => language));
});

test("the text leg names the intent of the labelled questions, but for at most one", () => {
  const labelled = truth.filter(({ intent }) => intent !== "");
  const right = labelled.filter(({ id, intent }) => outcomes.get(id!)!.facts.text.intent === intent);
  expect(labelled.length).toBe(13);
  expect(right.length).toBeGreaterThanOrEqual(12);
});

test("every ticket goes to the desk that the hand-written table says, with a reason that names what was found", () => {
  expect([...outcomes].map(([id, { route }]) => `${id} ${route}`)).toEqual(
    truth.map(({ id, route }) => `${id} ${route}`),
  );
  for (const { reason } of outcomes.values()) expect(reason).not.toContain("nothing");
});

test("always the desk of the most frequent route would be right for a third of them at the most", () => {
  const counts = truth.map(({ route }) => truth.filter((one) => one.route === route).length);
  expect(Math.max(...counts) / truth.length).toBeLessThan(1 / 3);
});
