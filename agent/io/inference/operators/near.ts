import type { Json } from "../../../../shared/pipeline/definition.ts";
import { readTexts } from "./json.ts";
import type { Implementation } from "./operator.ts";
import type { Parameters } from "./parameters.ts";
import { isRecord, type Ports, refuseInput } from "./ports.ts";
import { floats, json, tensor } from "./values.ts";

interface Matrix {
  rows: number;
  columns: number;
  elements: Float32Array;
  ids: string[];
}

interface Ranked {
  id: string;
  score: number;
  place: number;
}

function readMatrix(operator: string, { dimensions }: Parameters, files: Record<string, Uint8Array>): Matrix {
  const columns = dimensions as number;
  const raw = files.matrix!;
  const elements = new Float32Array(new Uint8Array(raw).buffer, 0, raw.length >> 2);
  const ids = readTexts(files.ids!, "its file ids", operator);
  const rows = elements.length / columns;
  if (raw.length % 4 !== 0 || rows !== ids.length)
    refuseInput(
      operator,
      `its files do not match: ${raw.length} bytes are not ${ids.length} rows of ${columns} floats`,
    );
  return { rows, columns, elements, ids };
}

const squareRoots = ({ rows, columns, elements }: Matrix): Float64Array =>
  Float64Array.from({ length: rows }, (_, row) => Math.hypot(...elements.subarray(row * columns, (row + 1) * columns)));

function dot(a: Float32Array, b: Float32Array, from: number): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[from + i]!;
  return sum;
}

/** Texts of a list; ids may be written as numbers. */
function idsIn(ports: Ports, port: string): string[] {
  return ports.array(port).map((id) => {
    if (typeof id !== "string" && typeof id !== "number") ports.refuse(port, "must be of texts or numbers");
    return `${id}`;
  });
}

function stretchOf(ports: Ports, { from, to }: Parameters, { rows }: Matrix): [number, number] {
  const wanted = ports.has("rows") ? ports.array("rows") : [from!, to || rows];
  const [first, behind] = wanted;
  const isStretch =
    wanted.length === 2 && Number.isSafeInteger(first) && Number.isSafeInteger(behind) && Number(first) >= 0;
  if (!isStretch) ports.refuse("rows", "must be two whole numbers, from and to");
  return [Number(first), Math.min(Number(behind), rows)];
}

const better = (a: Ranked, b: Ranked): number => b.score - a.score || a.place - b.place;

/** The k best are kept sorted; k is small against the rows. */
function offer(best: Ranked[], one: Ranked, k: number): void {
  if (best.length === k && better(one, best[k - 1]!) > 0) return;
  let [low, high] = [0, best.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (better(one, best[middle]!) < 0) high = middle;
    else low = middle + 1;
  }
  best.splice(low, 0, one);
  if (best.length > k) best.pop();
}

const told = (best: readonly Ranked[]): Record<string, ReturnType<typeof json>> => ({
  ranked: json(best.map(({ id, score }) => ({ id, score }))),
  ids: json(best.map(({ id }) => id)),
});

function rankIn(ports: Ports, list: Json, n: number): { id: string; score: number }[] {
  const wrong = (): never => ports.refuse("ranks", `must be of lists of {"id", "score"}; element ${n} is not one`);
  if (!Array.isArray(list)) return wrong();
  return list.map((one) => {
    const { id, score } = isRecord(one) ? one : {};
    return typeof id === "string" && typeof score === "number" ? { id, score } : wrong();
  });
}

export const NEAR: Record<string, Implementation> = {
  "near/neighbours@1": (parameters, files) => {
    const matrix = readMatrix("near/neighbours@1", parameters, files);
    const isCosine = parameters.by === "cosine";
    const norms = isCosine ? squareRoots(matrix) : undefined;
    return (ports) => {
      const { elements: vector } = ports.floats("vector");
      if (vector.length !== matrix.columns)
        ports.refuse("vector", `must have ${matrix.columns} elements, not ${vector.length}`);
      const [from, to] = stretchOf(ports, parameters, matrix);
      const excluded = new Set(ports.has("exclude") ? idsIn(ports, "exclude") : []);
      const norm = isCosine ? Math.hypot(...vector) : 1;
      const best: Ranked[] = [];
      for (let row = from; row < to; row++) {
        const id = matrix.ids[row]!;
        if (excluded.has(id)) continue;
        const length = norms ? norms[row]! * norm : 1;
        const score = length > 0 ? dot(vector, matrix.elements, row * matrix.columns) / length : 0;
        if (!Number.isFinite(score)) ports.refuse("vector", "must be of finite numbers");
        offer(best, { id, score, place: row }, parameters.k as number);
      }
      return told(best);
    };
  },
  "near/rows@1": (parameters, files) => {
    const { columns, elements, ids } = readMatrix("near/rows@1", parameters, files);
    const places = new Map(ids.map((id, row) => [id, row]));
    return (ports) => {
      const wanted = idsIn(ports, "ids").slice(0, parameters.max as number);
      const rows = wanted.flatMap((id) => places.get(id) ?? []);
      const picked = new Float32Array(rows.length * columns);
      for (const [n, row] of rows.entries())
        picked.set(elements.subarray(row * columns, (row + 1) * columns), n * columns);
      return {
        rows: floats([rows.length, columns], picked),
        indexes: tensor("INT64", [1, rows.length], BigInt64Array.from(rows, BigInt)),
        known: json(rows.length),
      };
    };
  },
  "near/merge-ranks@1":
    ({ k, same }) =>
    (ports) => {
      const excluded = new Set(ports.has("exclude") ? idsIn(ports, "exclude") : []);
      const scores = new Map<string, number>();
      for (const [n, value] of ports.list("ranks").entries()) {
        if (value.kind === "none") continue;
        for (const { id, score } of rankIn(ports, value.kind === "json" ? value.json : null, n)) {
          const before = scores.get(id);
          const now = before === undefined ? score : same === "sum" ? before + score : Math.max(before, score);
          if (!excluded.has(id)) scores.set(id, now);
        }
      }
      const ranked = [...scores].map(([id, score]) => ({ id, score, place: 0 }));
      ranked.sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1));
      return told(ranked.slice(0, k as number));
    },
};
