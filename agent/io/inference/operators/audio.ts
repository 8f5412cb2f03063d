import type { Value } from "../../../../shared/pipeline/values.ts";
import type { Implementation } from "./operator.ts";
import type { Ports } from "./ports.ts";
import { filterFor, resampled } from "./resampling.ts";
import { floats, json, list } from "./values.ts";
import { readWav } from "./wav.ts";

/** An hour at the highest rate. */
const samplesMax = 3_600 * 192_000;
/** Frames overlap as they are told to; all of them together, in memory. */
const framesBytesMax = 512 * 1024 * 1024;
/** Filters kept: sounds of one job have one rate, or a few. */
const filtersMax = 8;

function samplesIn(ports: Ports): Float32Array {
  const { elements } = ports.floats("samples", [-1]);
  return elements.length <= samplesMax
    ? elements
    : ports.refuse("samples", `must be at most ${samplesMax}, not ${elements.length}`);
}

/** [from, to) in frames, ascending, as tensor/threshold gives them. */
function runsIn(ports: Ports): [number, number][] {
  let end = 0;
  return ports.array("runs").map((run) => {
    const [from, to] = Array.isArray(run) && run.length === 2 ? run : [];
    const isRun =
      Number.isSafeInteger(from) && Number.isSafeInteger(to) && Number(from) >= end && Number(to) > Number(from);
    if (!isRun) ports.refuse("runs", "must be [from, to] in whole frames, ascending");
    end = Number(to);
    return [Number(from), Number(to)];
  });
}

/** Stretches with a margin on both sides, joined where they meet. */
function widened(runs: readonly [number, number][], margin: number): [number, number][] {
  const wide: [number, number][] = [];
  for (const [from, to] of runs) {
    const last = wide.at(-1);
    if (last && from - margin <= last[1]) last[1] = to + margin;
    else wide.push([Math.max(0, from - margin), to + margin]);
  }
  return wide;
}

export const AUDIO: Record<string, Implementation> = {
  "audio/decode@1": () => (ports) => {
    const { samples, rate } = readWav(ports.bytes("bytes"));
    return { samples: floats([samples.length], samples), rate: json(rate), seconds: json(samples.length / rate) };
  },
  "audio/resample@1": ({ rate }) => {
    const filters = new Map<number, ReturnType<typeof filterFor>>();
    const to = rate as number;
    return (ports) => {
      const samples = samplesIn(ports);
      const from = ports.number("rate");
      if (!Number.isInteger(from) || from < 1_000 || from > 192_000)
        ports.refuse("rate", "must be a whole number from 1000 to 192000");
      if (from === to) return { samples: floats([samples.length], samples) };
      if (samples.length * (to / from) > samplesMax) ports.refuse("samples", "are too many at the new rate");
      if (filters.size === filtersMax) filters.clear();
      const filter = filters.get(from) ?? filterFor(from, to);
      if (!filter) return ports.refuse("rate", `of ${from} has too little in common with ${to}`);
      filters.set(from, filter);
      const made = resampled(samples, filter);
      return { samples: floats([made.length], made) };
    };
  },
  "audio/frames@1": (parameters) => {
    const { size, context, max } = parameters as { size: number; context: number; max: number };
    const hop = (parameters.hop as number) || size;
    return (ports) => {
      const samples = samplesIn(ports);
      const count = Math.ceil(samples.length / hop);
      const bytes = count * (size + context) * 4;
      if (count > max || bytes > framesBytesMax)
        ports.refuse(
          "samples",
          `make ${count} frames of ${bytes} bytes; the most are ${max}, and ${framesBytesMax} bytes`,
        );
      const frames = Array.from({ length: count }, (_, n): Value => {
        const frame = new Float32Array(context + size);
        const start = n * hop - context;
        frame.set(samples.subarray(Math.max(0, start), start + context + size), Math.max(0, -start));
        return floats([1, context + size], frame);
      });
      return { frames: list(frames), count: json(count) };
    };
  },
  "audio/keep@1": (parameters) => {
    const { hop, rate, margin, secondsMin, secondsMax } = parameters as Record<string, number> & { hop: number };
    return (ports) => {
      const samples = samplesIn(ports);
      const parts = widened(runsIn(ports), margin!).map(([from, to]) => samples.subarray(from * hop, to * hop));
      const length = parts.reduce((sum, part) => sum + part.length, 0);
      const least = Math.ceil(secondsMin! * rate!);
      const most = Math.max(least, Math.floor(secondsMax! * rate!));
      const whole = new Float32Array(Math.max(least, length));
      let at = 0;
      for (const part of parts) {
        whole.set(part, at);
        at += part.length;
      }
      const kept = whole.slice(0, Math.min(whole.length, most));
      return { samples: floats([kept.length], kept), seconds: json(Math.min(length, most) / rate!) };
    };
  },
};
