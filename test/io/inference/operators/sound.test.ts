import { describe, expect, test } from "vitest";
import type { Value } from "../../../../shared/pipeline/values.ts";
import { floats, json, list, numbersOf, plain, run } from "./running.ts";

interface Wav {
  tag?: number;
  channels?: number;
  rate?: number;
  bits: number;
}

/** A WAV file as Multimedia Programming Interface 1.0 has it, with a chunk before the samples that nobody knows. */
function wav(
  { tag = 1, channels = 1, rate = 16_000, bits }: Wav,
  write: (data: DataView) => void,
  samples: number,
): Value {
  const dataBytes = samples * (bits >> 3);
  const file = new DataView(new ArrayBuffer(12 + 24 + 12 + 8 + dataBytes));
  const text = (at: number, word: string): void =>
    [...word].forEach((letter, i) => void file.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF");
  file.setUint32(4, file.byteLength - 8, true);
  text(8, "WAVEfmt ");
  file.setUint32(16, 16, true);
  file.setUint16(20, tag, true);
  file.setUint16(22, channels, true);
  file.setUint32(24, rate, true);
  file.setUint32(28, (rate * channels * bits) >> 3, true);
  file.setUint16(32, (channels * bits) >> 3, true);
  file.setUint16(34, bits, true);
  text(36, "LIST");
  file.setUint32(40, 3, true);
  text(48, "data");
  file.setUint32(52, dataBytes, true);
  write(new DataView(file.buffer, 56));
  return { kind: "bytes", bytes: new Uint8Array(file.buffer) };
}

const decoded = async (bytes: Value): Promise<number[]> => numbersOf((await run("audio/decode@1", { bytes })).samples);

describe("decoding", () => {
  test("every kind of sample is read as what it says", async () => {
    expect(
      await decoded(wav({ bits: 8 }, (data) => [0, 128, 192].forEach((v, i) => void data.setUint8(i, v)), 3)),
    ).toEqual([-1, 0, 0.5]);
    const of16 = wav(
      { bits: 16 },
      (data) => [-32_768, 16_384].forEach((v, i) => void data.setInt16(i * 2, v, true)),
      2,
    );
    expect(await decoded(of16)).toEqual([-1, 0.5]);
    const of24 = wav(
      { bits: 24 },
      (data) => [0, 0, 0x80, 0, 0, 0x40, 0xff, 0xff, 0xff].forEach((v, i) => void data.setUint8(i, v)),
      3,
    );
    expect(await decoded(of24)).toEqual([-1, 0.5, Math.fround(-1 / 8_388_608)]);
    expect(await decoded(wav({ bits: 32 }, (data) => data.setInt32(0, -(2 ** 30), true), 1))).toEqual([-0.5]);
    expect(await decoded(wav({ bits: 32, tag: 3 }, (data) => data.setFloat32(0, 0.25, true), 1))).toEqual([0.25]);
  });

  test("channels are mixed to one, and the rate is told", async () => {
    const two = wav(
      { bits: 16, channels: 2, rate: 8_000 },
      (data) => [16_384, 0, -16_384, -16_384].forEach((v, i) => void data.setInt16(i * 2, v, true)),
      4,
    );
    expect(await decoded(two)).toEqual([0.25, -0.5]);
    const { rate, seconds } = await run("audio/decode@1", { bytes: two });
    expect([plain(rate), plain(seconds)]).toEqual([8_000, 2 / 8_000]);
  });

  test("what is no WAV, or a WAV of another kind, is refused with a word on what to do", async () => {
    const bytes = (text: string): Value => ({ kind: "bytes", bytes: new TextEncoder().encode(text) });
    await expect(decoded(bytes("ID3 an MP3 file"))).rejects.toThrow("others (MP3, Ogg, FLAC, AAC) are not supported");
    await expect(decoded(bytes("RIFF0000WAVE"))).rejects.toThrow("does not say its format");
    await expect(decoded(wav({ bits: 4, tag: 17 }, () => {}, 2))).rejects.toThrow("of kind 17 with 4 bits");
    await expect(decoded(wav({ bits: 16, channels: 99 }, () => {}, 1))).rejects.toThrow("99 channels");
    await expect(decoded(wav({ bits: 32, tag: 3 }, (data) => data.setFloat32(0, Number.NaN, true), 1))).rejects.toThrow(
      "no number, at 0",
    );
  });
});

describe("resampling", () => {
  const sine = (hz: number, rate: number, seconds: number): Float32Array =>
    Float32Array.from({ length: rate * seconds }, (_, n) => Math.sin((2 * Math.PI * hz * n) / rate));

  async function decibels(hz: number, from: number, to: number): Promise<number> {
    const samples = sine(hz, from, 1);
    const given = await run(
      "audio/resample@1",
      { samples: floats([samples.length], samples), rate: json(from) },
      { with: { rate: to } },
    );
    const made = numbersOf(given.samples);
    const wanted = sine(hz, to, 1);
    expect(made).toHaveLength(wanted.length);
    let [signal, noise] = [0, 0];
    // Without the ends, where silence begins.
    for (let n = 500; n < to - 500; n++) {
      signal += wanted[n]! ** 2;
      noise += (made[n]! - wanted[n]!) ** 2;
    }
    return 10 * Math.log10(signal / noise);
  }

  test.each([
    [1_000, 44_100, 16_000],
    [7_000, 48_000, 16_000],
    [3_000, 8_000, 16_000],
    [440, 22_050, 16_000],
  ])("a sine of %i Hz comes from %i to %i samples a second with noise 70 dB below it", async (hz, from, to) => {
    expect(await decibels(hz, from, to)).toBeGreaterThan(70);
  });

  test("what the new rate cannot carry is gone instead of mirrored", async () => {
    const samples = sine(12_000, 48_000, 1);
    const given = await run(
      "audio/resample@1",
      { samples: floats([48_000], samples), rate: json(48_000) },
      { with: { rate: 16_000 } },
    );
    const made = numbersOf(given.samples).slice(500, 15_500);
    expect(Math.max(...made.map(Math.abs))).toBeLessThan(1e-3);
  });

  test("the same rate changes nothing; rates with nothing in common are refused", async () => {
    const samples = floats([3], [0.5, -0.5, 0.25]);
    expect(
      numbersOf((await run("audio/resample@1", { samples, rate: json(16_000) }, { with: { rate: 16_000 } })).samples),
    ).toEqual([0.5, -0.5, 0.25]);
    await expect(
      run("audio/resample@1", { samples, rate: json(191_999) }, { with: { rate: 191_987 } }),
    ).rejects.toThrow("too little in common");
  });
});

describe("frames", () => {
  test("each has the samples before it in front, as Silero takes them", async () => {
    const samples = floats([5], [1, 2, 3, 4, 5]);
    const { frames, count } = await run("audio/frames@1", { samples }, { with: { size: 2, context: 1 } });
    expect(plain(frames)).toEqual(
      [
        [0, 1, 2],
        [2, 3, 4],
        [4, 5, 0],
      ].map((values) => ({ shape: [1, 3], values })),
    );
    expect(plain(count)).toBe(3);
    const apart = await run("audio/frames@1", { samples }, { with: { size: 2, hop: 4 } });
    expect(plain(apart.frames)).toEqual(
      [
        [1, 2],
        [5, 0],
      ].map((values) => ({ shape: [1, 2], values })),
    );
    expect((await run("audio/frames@1", { samples: floats([0], []) }, { with: { size: 512 } })).frames).toEqual(list());
  });

  test("stretches are kept with a margin, joined where they meet, filled up and cut off", async () => {
    const samples = floats([8], [1, 2, 3, 4, 5, 6, 7, 8]);
    const keep = async (runs: number[][], how: Record<string, number>): Promise<number[]> =>
      numbersOf(
        (await run("audio/keep@1", { samples, runs: json(runs) }, { with: { hop: 1, rate: 1_000, ...how } })).samples,
      );
    expect(
      await keep(
        [
          [1, 2],
          [5, 7],
        ],
        {},
      ),
    ).toEqual([2, 6, 7]);
    expect(
      await keep(
        [
          [1, 2],
          [4, 5],
        ],
        { margin: 1 },
      ),
    ).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await keep([[7, 9]], { secondsMin: 0.003 })).toEqual([8, 0, 0]);
    expect(await keep([[0, 99]], { secondsMax: 0.01 })).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    await expect(keep([[3, 2]], {})).rejects.toThrow("in whole frames, ascending");
  });
});
