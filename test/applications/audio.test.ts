/** Audio: its heads on recordings that nothing was learned from, and whole recordings through the code that executors run. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LANGUAGES } from "../../agent/applications/audio/clips.ts";
import { loadedModel, RunningPipeline } from "../../agent/applications/training/running.ts";

const FOLDER = new URL("../../agent/applications/audio/", import.meta.url);

interface Kept {
  file: string;
  /** A language, or "music". */
  label: string;
  voice: string;
  features: number[];
}
const held = JSON.parse(gunzipSync(readFileSync(new URL("data/held-out.json.gz", FOLDER))).toString("utf8")) as Kept[];
const trainedVoices = ["Allison", "June", "Carlo", "Paola", "IvrvoiceRU"];
const lines = held.filter(({ voice }) => trainedVoices.includes(voice));
const strangers = held.filter(({ voice, label }) => label !== "music" && !trainedVoices.includes(voice));
const music = held.filter(({ label }) => label === "music");

let audio: RunningPipeline;
beforeAll(async () => {
  audio = await RunningPipeline.open(FOLDER);
});
afterAll(() => audio.close());

const heard = (name: string) =>
  audio.run({ clip: { kind: "bytes", bytes: readFileSync(new URL(`samples/${name}.wav`, FOLDER)) } });

/** What a head says of each. */
async function said(head: string, kept: readonly Kept[]): Promise<string[]> {
  const labels = readFileSync(new URL(`models/${head}/labels.txt`, FOLDER), "utf8")
    .trim()
    .split("\n");
  const model = await loadedModel(`${head}:1`, [FOLDER]);
  const runs = kept.map(({ file, features }) => {
    const data = Float32Array.from(features);
    const input = { name: "features", datatype: "FP32" as const, shape: [1, data.length], data };
    return { name: file, inputs: [input], wanted: ["probabilities"] };
  });
  const ends = await model.runTensors(runs);
  await model.release();
  return ends.map((end) => {
    if (end instanceof Error) throw end;
    const scores = [...(end[0]!.data as Float32Array)];
    return labels[scores.indexOf(Math.max(...scores))]!;
  });
}

const shareRight = (kept: readonly Kept[], best: readonly string[], label = (one: Kept) => one.label): number =>
  kept.filter((one, i) => label(one) === best[i]).length / kept.length;
const mostFrequent = (kept: readonly Kept[]): number =>
  Math.max(...LANGUAGES.map((label) => kept.filter((one) => one.label === label).length)) / kept.length;

test("the language of lines not learned from, by known voices, is right for at least LINES %; the most frequent one is for half as many", async () => {
  expect(lines.length).toBeGreaterThan(300);
  const share = shareRight(lines, await said("language-head", lines));
  expect(share).toBeGreaterThan(0.85);
  expect(mostFrequent(lines)).toBeLessThan(share / 2);
});

test("voices that are strangers are told worse, as one voice speaks one language in most of what it learned from", async () => {
  expect(strangers.length).toBeGreaterThan(100);
  const share = shareRight(strangers, await said("language-head", strangers));
  expect(share).toBeLessThan(0.85);
});

test("music by musicians not learned from is told from speech", async () => {
  const all = [...lines, ...strangers, ...music];
  const kind = ({ label }: Kept): string => (label === "music" ? label : "speech");
  const best = await said("sound-head", all);
  expect(shareRight(all, best, kind)).toBeGreaterThan(0.97);
  expect(music.length).toBeGreaterThan(30);
  expect(shareRight(music, best.slice(-music.length), kind)).toBeGreaterThan(0.9);
});

test.each(LANGUAGES)("a line in %s is heard as speech, in that language", async (language) => {
  const { speech, kind, language: told } = await heard(`${language}-leader-has-left`);
  expect(speech).toBeGreaterThan(0.5);
  expect([kind, told]).toEqual(["speech", language]);
});

test("another rate and another speaker: LibriVox at 16 kHz is English speech", async () => {
  const { seconds, speech, kind, language } = await heard("en-sense-and-sensibility");
  expect(seconds).toBeCloseTo(2.99, 1);
  expect(speech).toBeGreaterThan(0.7);
  expect([kind, language]).toEqual(["speech", "en"]);
});

test("nobody speaks in music and in noise, so no language is told", async () => {
  for (const name of ["music", "hum"])
    expect(await heard(name)).toMatchObject({ language: null, speech: expect.any(Number) });
  expect((await heard("music")).kind).toBe("music");
});

test("features of a recording are those that the heads were tested on", async () => {
  const only = await RunningPipeline.open(FOLDER, { outputs: { features: "features.tensor" } });
  const bytes = readFileSync(new URL("samples/ru-leader-has-left.wav", FOLDER));
  const { features } = await only.run({ clip: { kind: "bytes", bytes } });
  await only.close();
  const kept = held.find(({ file, label }) => file === "conf-leaderhasleft.wav" && label === "ru")!;
  const { data } = features as { data: number[] };
  const furthest = Math.max(...data.map((value, k) => Math.abs(value - kept.features[k]!)));
  expect(furthest).toBeLessThan(0.05);
});

test("what is no WAV file is refused with the stage", async () => {
  const nonsense = audio.run({ clip: { kind: "bytes", bytes: new Uint8Array(100) } });
  await expect(nonsense).rejects.toThrow(/sound/);
});
