/** Classifiers of texts as the applications have them on disk, run by onnxruntime without an agent around. */
import { readFileSync } from "node:fs";
import * as ort from "onnxruntime-node";
import { csvRecords } from "../../agent/applications/training/csv.ts";
import { bestOf, type LabelledText } from "../../agent/applications/training/texts.ts";
import { ngramIds, PAD_ID, readVocabulary } from "../../shared/text/ngrams.ts";

export interface Answer {
  label: string;
  score: number;
}

export interface Classifier {
  /** One run of the model for all of them, the shorter ones padded. */
  answers(texts: readonly string[]): Promise<Answer[]>;
}

const BATCH = 64;
const folderOf = (application: string): URL => new URL(`../../agent/applications/${application}/`, import.meta.url);

export const bundledText = (application: string, path: string): string =>
  readFileSync(new URL(path, folderOf(application)), "utf8");

export const labelledQuestions = (application: string, path: string): LabelledText[] =>
  csvRecords(bundledText(application, path)).map(({ text = "", category = "" }) => ({ text, label: category }));

export async function bundledClassifier(application: string, model: string): Promise<Classifier> {
  const table = readVocabulary(bundledText(application, `models/${model}/vocabulary.json`));
  const labels = bundledText(application, `models/${model}/labels.txt`).trimEnd().split("\n");
  const graph = new URL(`models/${model}/model.onnx`, folderOf(application)).pathname;
  const session = await ort.InferenceSession.create(graph, { intraOpNumThreads: 1 });
  const run = async (texts: readonly string[]): Promise<Answer[]> => {
    const rows = texts.map((text) => ngramIds(text, table));
    const width = Math.max(...rows.map((ids) => ids.length));
    const ids = BigInt64Array.from(
      rows.flatMap((row) => [...row, ...Array<number>(width - row.length).fill(PAD_ID)]),
      BigInt,
    );
    const { probabilities } = await session.run({ ids: new ort.Tensor("int64", ids, [rows.length, width]) });
    const scores = probabilities!.data as Float32Array;
    return rows.map((_, i) => {
      const own = scores.subarray(i * labels.length, (i + 1) * labels.length);
      const best = bestOf(own);
      return { label: labels[best]!, score: own[best]! };
    });
  };
  return {
    answers: async (texts) => {
      const all: Answer[] = [];
      for (let from = 0; from < texts.length; from += BATCH) all.push(...(await run(texts.slice(from, from + BATCH))));
      return all;
    },
  };
}
