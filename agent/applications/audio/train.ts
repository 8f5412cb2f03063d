/**
 * Trains the heads of this application and prints their scores: `node agent/applications/audio/train.ts [FOLDER]`, some
 * minutes. Recordings come from Debian packages, downloaded into FOLDER; needs apt-get, dpkg-deb, and sox for two of them.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { linesText, writeModelFolder } from "../training/model-folder.ts";
import { RunningPipeline } from "../training/running.ts";
import { bestLabel, type LabelledFeatures, type SoftmaxHead, softmaxGraph, trainSoftmax } from "../training/softmax.ts";
import {
  type Clip,
  clipsOf,
  LANGUAGES,
  MUSIC,
  piecesOf,
  type Source,
  SPOKEN,
  STRANGERS,
  secondsOf,
  unpacked,
} from "./clips.ts";

const KINDS = ["music", "speech"];
/** Of a piece of music: as long as a longer line that is spoken. */
const PIECE_SECONDS = 4;
const PIECES_MAX = 40;
/** Musicians from whom the head for kinds of sound does not learn. */
const MUSIC_HELD_OUT = ["manolo", "reno"];
/** What is shorter has less in it than one window of the embedding; what is longer are whole menus, which say what shorter ones say. */
const SECONDS_MIN = 0.8;
const SECONDS_MAX = 8;
const TRAINING = { steps: 400, rate: 0.3, decay: 0.03 };

const folder = process.argv[2] ?? join(tmpdir(), "skein-audio");
mkdirSync(folder, { recursive: true });
unpacked([...SPOKEN, ...STRANGERS, MUSIC], folder);
const hearing = await RunningPipeline.open(new URL("./", import.meta.url), {
  outputs: { features: "features.tensor" },
});

interface Sample extends Omit<Clip, "read"> {
  features: number[];
}

/** None of what is too short, or too long. */
async function heard({ read, ...clip }: Clip): Promise<Sample[]> {
  const bytes = read();
  const seconds = secondsOf(bytes);
  if (seconds < SECONDS_MIN || seconds > SECONDS_MAX) return [];
  const { features } = await hearing.run({ clip: { kind: "bytes", bytes } });
  return [{ ...clip, features: (features as { data: number[] }).data }];
}

async function allHeard(sources: readonly Source[]): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (const source of sources) for (const clip of clipsOf(source, folder)) samples.push(...(await heard(clip)));
  return samples;
}

async function piecesHeard(): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (const { read, ...clip } of clipsOf(MUSIC, folder))
    for (const piece of piecesOf(read(), PIECE_SECONDS, PIECES_MAX))
      samples.push(...(await heard({ ...clip, heldOut: MUSIC_HELD_OUT.includes(clip.voice), read: () => piece })));
  return samples;
}

const labelled = (samples: readonly Sample[], labels: readonly string[]): LabelledFeatures[] =>
  samples.map(({ features, label }) => ({ features, label: labels.indexOf(label) }));

function score(name: string, head: SoftmaxHead, samples: readonly Sample[], labels: readonly string[]): void {
  const isRight = samples.map(({ features, label }) => labels[bestLabel(head, features)] === label);
  const share = (all: readonly boolean[]): string =>
    `${((100 * all.filter(Boolean).length) / all.length).toFixed(1)} %`;
  const most = Math.max(...labels.map((label) => samples.filter((sample) => sample.label === label).length));
  const groups = [...new Set(samples.map(({ label, voice }) => `${label} ${voice}`))].map((group) => {
    const own = isRight.filter((_, i) => `${samples[i]!.label} ${samples[i]!.voice}` === group);
    return `${group} ${share(own)} of ${own.length}`;
  });
  const majority = `${((100 * most) / samples.length).toFixed(1)} %`;
  console.log(
    `${name}: ${share(isRight)} of ${samples.length} (the most frequent label: ${majority}); ${groups.join(", ")}`,
  );
}

async function keep(name: string, head: SoftmaxHead, labels: readonly string[]): Promise<void> {
  const place = new URL(`models/${name}`, import.meta.url).pathname;
  console.log(
    `${name}: ${await writeModelFolder(place, softmaxGraph(head), { "labels.txt": linesText(labels) })} bytes`,
  );
}

const spoken = await allHeard(SPOKEN);
const strangers = await allHeard(STRANGERS);
const music = await piecesHeard();
const [learned, tested] = [spoken.filter(({ heldOut }) => !heldOut), spoken.filter(({ heldOut }) => heldOut)];

const language = trainSoftmax(labelled(learned, LANGUAGES), LANGUAGES.length, TRAINING);
await keep("language-head", language, LANGUAGES);
score("language, lines not learned from", language, tested, LANGUAGES);
score("language, speakers not learned from", language, strangers, LANGUAGES);

const asSpeech = (samples: readonly Sample[]): Sample[] => samples.map((sample) => ({ ...sample, label: "speech" }));
const kindsLearned = [...asSpeech(learned), ...music.filter(({ heldOut }) => !heldOut)];
const kindsTested = [...asSpeech(tested), ...asSpeech(strangers), ...music.filter(({ heldOut }) => heldOut)];
const kind = trainSoftmax(labelled(kindsLearned, KINDS), KINDS.length, TRAINING);
await keep("sound-head", kind, KINDS);
score("kind of sound", kind, kindsTested, KINDS);

// What the heads are tested on in this repository: features, as the recordings would be many times as large.
const kept = [...tested, ...strangers, ...music.filter(({ heldOut }) => heldOut)].map((sample) => {
  const { file, label, voice, features } = sample;
  return { file, label, voice, features: features.map((value) => Number(value.toFixed(3))) };
});
writeFileSync(new URL("data/held-out.json.gz", import.meta.url), gzipSync(JSON.stringify(kept), { level: 9 }));
await hearing.close();
