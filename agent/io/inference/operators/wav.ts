import { refuseInput } from "./ports.ts";

/** One channel, -1 to 1. */
export interface Sound {
  samples: Float32Array;
  rate: number;
}

/** The kinds of samples: Microsoft and IBM, Multimedia Programming Interface 1.0 (1991), and WAVE_FORMAT_EXTENSIBLE (2001). */
const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;
const channelsMax = 32;
const secondsMax = 3_600;
const OPERATOR = "audio/decode@1";

interface Format {
  tag: number;
  channels: number;
  rate: number;
  bits: number;
}

const refuse = (reason: string): never => refuseInput(OPERATOR, `its input bytes ${reason}`);

/** The chunks of a RIFF file by name; the first of each. What is cut short ends where the file does, as recorders that were stopped leave it. */
function chunksOf(file: DataView): Map<string, DataView> {
  const name = (at: number): string => String.fromCharCode(...[0, 1, 2, 3].map((i) => file.getUint8(at + i)));
  if (file.byteLength < 12 || name(0) !== "RIFF" || name(8) !== "WAVE")
    refuse("must be a WAV file; others (MP3, Ogg, FLAC, AAC) are not supported: make it WAV first");
  const chunks = new Map<string, DataView>();
  for (let at = 12; at + 8 <= file.byteLength; ) {
    const length = Math.min(file.getUint32(at + 4, true), file.byteLength - at - 8);
    if (!chunks.has(name(at))) chunks.set(name(at), new DataView(file.buffer, file.byteOffset + at + 8, length));
    at += 8 + length + (length % 2);
  }
  return chunks;
}

function formatOf(chunk: DataView | undefined): Format {
  if (!chunk || chunk.byteLength < 16) return refuse("are a WAV file that does not say its format");
  const said = chunk.getUint16(0, true);
  const tag = said === EXTENSIBLE && chunk.byteLength >= 26 ? chunk.getUint16(24, true) : said;
  const format = {
    tag,
    channels: chunk.getUint16(2, true),
    rate: chunk.getUint32(4, true),
    bits: chunk.getUint16(14, true),
  };
  const isKnown = tag === PCM ? [8, 16, 24, 32].includes(format.bits) : tag === FLOAT && [32, 64].includes(format.bits);
  if (!isKnown)
    refuse(
      `are a WAV file of kind ${tag} with ${format.bits} bits; PCM of 8, 16, 24, 32 bits and floats are supported`,
    );
  if (format.channels < 1 || format.channels > channelsMax)
    refuse(`have ${format.channels} channels; 1 to ${channelsMax} are supported`);
  if (format.rate < 1_000 || format.rate > 192_000)
    refuse(`have ${format.rate} samples a second; 1000 to 192000 are supported`);
  return format;
}

/** A sample at a byte. 8 bits are from 0 to 255 around 128, all others signed. */
function readerOf({ tag, bits }: Format, data: DataView): (at: number) => number {
  if (tag === FLOAT) return bits === 32 ? (at) => data.getFloat32(at, true) : (at) => data.getFloat64(at, true);
  if (bits === 8) return (at) => (data.getUint8(at) - 128) / 128;
  if (bits === 16) return (at) => data.getInt16(at, true) / 32_768;
  if (bits === 24) return (at) => ((data.getInt8(at + 2) << 16) | data.getUint16(at, true)) / 8_388_608;
  return (at) => data.getInt32(at, true) / 2_147_483_648;
}

/** Channels are mixed to their mean. @throws INPUT_INVALID */
export function readWav(bytes: Uint8Array): Sound {
  const chunks = chunksOf(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  const format = formatOf(chunks.get("fmt "));
  const data = chunks.get("data") ?? refuse("are a WAV file without samples");
  const { channels, bits, rate } = format;
  const frameBytes = channels * (bits >> 3);
  const count = Math.floor(data.byteLength / frameBytes);
  if (count > secondsMax * rate) refuse(`are ${Math.round(count / rate)} s long; the most is ${secondsMax}`);
  const read = readerOf(format, data);
  const samples = new Float32Array(count);
  for (let n = 0; n < count; n++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += read(n * frameBytes + channel * (bits >> 3));
    samples[n] = sum / channels;
    if (!Number.isFinite(samples[n])) refuse(`have a sample that is no number, at ${n}`);
  }
  return { samples, rate };
}
