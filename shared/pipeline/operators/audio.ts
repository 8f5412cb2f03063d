import type { OperatorSpec } from "../operators.ts";
import { SOUND, wholeOr } from "./types.ts";

const samples = { type: SOUND, says: "one channel, -1 to 1" };
const RATE = { type: "integer", says: "samples a second", min: 1_000, max: 192_000 } as const;

export const AUDIO: OperatorSpec[] = [
  {
    name: "audio/decode@1",
    says: "A WAV file as samples: PCM of 8, 16, 24 or 32 bits, or floating point; several channels are mixed to one. At most an hour.",
    inputs: { bytes: { type: "bytes", says: "the file" } },
    outputs: {
      samples,
      rate: { type: "number", says: "samples a second" },
      seconds: { type: "number", says: "how long it is" },
    },
    parameters: {},
  },
  {
    name: "audio/resample@1",
    says: "The same sound at another rate, by a windowed sinc; what the new rate cannot carry is filtered out.",
    inputs: { samples, rate: { type: "number", says: "that they have" } },
    outputs: { samples },
    parameters: { rate: RATE },
  },
  {
    name: "audio/frames@1",
    says: "Frames of equal size, each with the samples before it in front (zeros before the first); the last one is filled with zeros.",
    inputs: { samples },
    outputs: {
      frames: { type: "list<FP32[1,-1]>", says: "each `context` + `size` long" },
      count: { type: "number", says: "how many" },
    },
    parameters: {
      size: { type: "integer", says: "samples of one frame", min: 1, max: 1_000_000 },
      hop: { type: "integer", says: "from one to the next; 0: as its size", min: 0, max: 1_000_000, default: 0 },
      context: { type: "integer", says: "samples in front", min: 0, max: 100_000, default: 0 },
      max: { type: "integer", says: "frames at most; more are an error", min: 1, max: 100_000, default: 100_000 },
    },
    giving: ({ size, context }) => ({
      frames: `list<FP32[1,${wholeOr(size, 0) + wholeOr(context, 0)}]>`,
      count: "number",
    }),
  },
  {
    name: "audio/keep@1",
    says: "Only stretches of a sound, one behind the other: those that were found to be speech, say.",
    inputs: { samples, runs: { type: "json", says: "of tensor/threshold, in frames" } },
    outputs: {
      samples,
      seconds: { type: "number", says: "how long that is" },
    },
    parameters: {
      hop: { type: "integer", says: "samples from one frame to the next", min: 1, max: 1_000_000 },
      rate: RATE,
      margin: { type: "integer", says: "frames kept before and behind each stretch", min: 0, max: 1_000, default: 0 },
      secondsMin: { type: "number", says: "shorter is filled with zeros, up to this", min: 0, max: 60, default: 0 },
      secondsMax: { type: "number", says: "what is longer is cut off", min: 0.01, max: 3_600, default: 3_600 },
    },
  },
];
