import { LIMITS } from "../../../../shared/limits.ts";
import { fits, noPlaces, type Places, put, type Question } from "./question.ts";
import { type Served, serve } from "./serve.ts";

/** A placement, and what it is worth. */
export interface Candidate {
  placed: Uint8Array;
  served: Served;
  /** Models that could stand somewhere and stand nowhere, and replicas that are missing in all. */
  nowhere: number;
  missing: number;
  /** Seconds until all files are where they shall be, over all nodes alike. */
  moveSeconds: number;
}

/** Multiples of what the fleet could serve if memory were no matter: at too much a few models take it all, at too little room is left. */
const MULTIPLES = [0.5, 0.65, 0.8, 0.9, 1, 1.15];
/** Of its demand that a model gets at a time, so that they grow together. */
const STEP = 0.1;
/** Seconds of fetching that make a node half as good a place. */
const FAR_SECONDS = 600;
/** What differs by less is equal, and the first listed wins: else rounding would decide, and other units another placement. */
const MORE = 1 + 1e-9;

/** What a placement costs the fleet in moves, as a share of what it serves: a minute for every node is a hundredth. */
export const moveCost = ({ moveSeconds }: Pick<Candidate, "moveSeconds">): number => (0.01 * moveSeconds) / 60;

/** First that every model stands somewhere, then that it does so often enough, then what is served less what is moved. */
export const isBetter = (a: Candidate, b: Candidate): boolean =>
  a.nowhere !== b.nowhere
    ? a.nowhere < b.nowhere
    : a.missing !== b.missing
      ? a.missing < b.missing
      : netShare(a) > netShare(b) * MORE;

const netShare = (candidate: Candidate): number => candidate.served.share * (1 - moveCost(candidate));

export function candidate(question: Question, placed: Uint8Array, served = serve(question, placed)): Candidate {
  const { models, nodes, min, moveSeconds, rate } = question;
  const N = nodes.length;
  let [nowhere, missing, moved] = [0, 0, 0];
  for (let m = 0; m < models.length; m++) {
    let count = 0;
    let couldStand = false;
    for (let pair = m * N; pair < (m + 1) * N; pair++) {
      couldStand ||= rate[pair]! > 0;
      if (!placed[pair]) continue;
      count++;
      moved += moveSeconds[pair]!;
    }
    if (count === 0 && couldStand) nowhere++;
    missing += Math.max(0, min[m]! - count);
  }
  return { placed, served, nowhere, missing, moveSeconds: N > 0 ? moved / N : 0 };
}

/**
 * Replicas first (largest model first, each where it is worth most), then again and again the model that is served least to
 * its best node, at several multiples of the demand; and once more with what stands already as the beginning. The best of
 * these.
 */
export function greedy(question: Question): Candidate {
  const { models, nodes } = question;
  const anywhere = Uint8Array.from(question.rate, (rate) => (rate > 0 ? 1 : 0));
  const free = serve(question, anywhere, true);
  const isSmall = models.length * nodes.length <= LIMITS.placementSweptPairsMax;
  const multiples = isSmall ? MULTIPLES : [0.9];
  let best: Candidate | undefined;
  for (const keeps of question.stands.includes(1) ? [true, false] : [false])
    for (const multiple of multiples) {
      const places = begin(question, keeps);
      replicasFirst(question, places, free);
      fill(question, places, free, multiple);
      const one = candidate(question, places.placed, serve(question, places.placed, true));
      if (!best || isBetter(one, best)) best = one;
    }
  return candidate(question, best!.placed);
}

/** A relaxed solution made whole: what it is surest of first, as far as it fits, and the rest by the greedy rule. */
export function rounded(question: Question, sure: Float64Array): Candidate {
  const free = serve(
    question,
    Uint8Array.from(question.rate, (rate) => (rate > 0 ? 1 : 0)),
    true,
  );
  const places = begin(question, false);
  const order = [...sure.keys()].filter((pair) => sure[pair]! > 0.3).sort((a, b) => sure[b]! - sure[a]! || a - b);
  const first = order.filter((pair) => sure[pair]! > 0.99);
  for (const pair of first) if (fits(question, places, pair)) put(question, places, pair);
  replicasFirst(question, places, free);
  for (const pair of order) if (fits(question, places, pair)) put(question, places, pair);
  fill(question, places, free, 1);
  return candidate(question, places.placed);
}

/** With what is pinned, and if wanted with what stands and still may. */
function begin(question: Question, keeps: boolean): Places {
  const { pinned, stands } = question;
  const places = noPlaces(question);
  for (let pair = 0; pair < pinned.length; pair++) if (pinned[pair]) put(question, places, pair);
  if (keeps)
    for (let pair = 0; pair < stands.length; pair++)
      if (stands[pair] && fits(question, places, pair)) put(question, places, pair);
  return places;
}

/** How well a node's time would be spent on a model, against the best that it could do: 0 to 1, less if the files are far. */
function fitness(
  { nodes, rate, moveSeconds }: Question,
  { worth }: Served,
  priceOf: Float64Array,
  pair: number,
): number {
  const m = Math.floor(pair / nodes.length);
  const price = priceOf[pair % nodes.length]!;
  const spent = price > 0 ? (rate[pair]! * worth[m]!) / price : 0;
  return (spent + 1e-6) / (1 + moveSeconds[pair]! / FAR_SECONDS);
}

function pricesOf({ nodes, rate }: Question, { worth }: Served): Float64Array {
  const price = new Float64Array(nodes.length);
  rate.forEach((perSecond, pair) => {
    const i = pair % nodes.length;
    price[i] = Math.max(price[i]!, perSecond * worth[Math.floor(pair / nodes.length)]!);
  });
  return price;
}

/** One replica of each model before the second of any, so that every model stands somewhere if it can. */
function replicasFirst(question: Question, places: Places, free: Served): void {
  const { models, nodes, takes, min } = question;
  const N = nodes.length;
  const prices = pricesOf(question, free);
  const largest = models.map((_, m) =>
    takes.subarray(m * N, (m + 1) * N).reduce((most, one) => Math.max(most, one), 0),
  );
  const order = [...models.keys()].sort((a, b) => largest[b]! - largest[a]! || a - b);
  const most = Math.max(0, ...min);
  for (let replica = 1; replica <= Math.max(1, most); replica++)
    for (const m of order) {
      if (places.counts[m]! >= Math.max(replica === 1 ? 1 : 0, Math.min(replica, min[m]!))) continue;
      let best = -1;
      let bestValue = 0;
      for (let pair = m * N; pair < (m + 1) * N; pair++) {
        if (!fits(question, places, pair)) continue;
        const value = question.rate[pair]! * fitness(question, free, prices, pair);
        if (value > bestValue * MORE) [best, bestValue] = [pair, value];
      }
      if (best >= 0) put(question, places, best);
    }
}

/** The model that is served least goes to its best node, a step of its demand at a time, until nothing more can be done. */
function fill(question: Question, places: Places, free: Served, multiple: number): void {
  const { models, nodes, rate } = question;
  const [M, N] = [models.length, nodes.length];
  const prices = pricesOf(question, free);
  const timeLeft = new Float64Array(N).fill(1);
  const got = new Float64Array(M);
  const open = new Set(models.keys());
  const target = Number.isFinite(free.share) ? multiple * free.bound : 0;
  while (open.size > 0) {
    let starved = -1;
    for (const m of open) if (starved < 0 || got[m]! < got[starved]! - 1e-9 * target) starved = m;
    if (got[starved]! >= target * (1 - 1e-9)) return;
    const wants = STEP * target * models[starved]!.demandPerSecond;
    let best = -1;
    let bestValue = 0;
    for (let i = 0; i < N; i++) {
      const pair = starved * N + i;
      const gain = Math.min(wants, timeLeft[i]! * rate[pair]!);
      if (gain <= 1e-9 * wants || !(places.placed[pair] || fits(question, places, pair))) continue;
      // A replica that is there costs no memory.
      const value = (gain / wants) * fitness(question, free, prices, pair) * (places.placed[pair] ? 1.15 : 1);
      if (value > bestValue * MORE) [best, bestValue] = [pair, value];
    }
    if (best < 0) {
      open.delete(starved);
      continue;
    }
    if (!places.placed[best]) put(question, places, best);
    const gain = Math.min(wants, timeLeft[best % N]! * rate[best]!);
    timeLeft[best % N] = timeLeft[best % N]! - gain / rate[best]!;
    got[starved] = got[starved]! + gain / models[starved]!.demandPerSecond;
  }
}
