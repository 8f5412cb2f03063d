/**
 * Another rate of samples by a windowed sinc, one set of coefficients for each of the places that new samples have between
 * old ones (polyphase): Smith, Digital Audio Resampling (ccrma.stanford.edu/~jos/resample), with a Kaiser window.
 */

/**
 * Zero crossings of the sinc on each side, and the window's shape: 90 dB between what is kept and what is not, and from one
 * to the other a twelfth of the band. Around this share of the band that both rates have: up to nine tenths are kept.
 */
const crossings = 64;
const beta = 9;
const passband = 0.94;
/** Coefficients in all: rates of which none divides the other have as many places as the new rate. */
const coefficientsMax = 8_000_000;

/** Modified Bessel function of the first kind, order 0, by its series. */
function bessel(x: number): number {
  let [sum, term] = [1, 1];
  for (let n = 1; term > sum * 1e-12; n++) {
    term *= (x / (2 * n)) ** 2;
    sum += term;
  }
  return sum;
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}

interface Filter {
  /** New samples for so many old ones, in lowest terms. */
  up: number;
  down: number;
  /** Old samples on each side that a new one is made of. */
  reach: number;
  /** By place between two old samples, `reach` x 2 each. */
  phases: Float64Array[];
}

/** Undefined where it would need more coefficients than are worth it: rates such as 44,101 and 16,000. */
export function filterFor(from: number, to: number): Filter | undefined {
  const common = divisor(from, to);
  const [up, down] = [to / common, from / common];
  const cutoff = Math.min(1, to / from) * passband;
  const reach = Math.ceil(crossings / cutoff);
  if (up * reach * 2 > coefficientsMax) return undefined;
  const whole = bessel(beta);
  const phases = Array.from({ length: up }, (_, phase) => {
    const taps = Float64Array.from({ length: reach * 2 }, (_, tap) => {
      const x = tap - reach + 1 - phase / up;
      const inside = Math.abs(x) < reach;
      return inside ? cutoff * sinc(cutoff * x) * (bessel(beta * Math.sqrt(1 - (x / reach) ** 2)) / whole) : 0;
    });
    // Each place keeps a constant as it is; without this they differ by some ten thousandths, which is heard as a tone.
    const sum = taps.reduce((a, b) => a + b, 0);
    return taps.map((tap) => tap / sum);
  });
  return { up, down, reach, phases };
}

/** As many samples as the same time has; beyond both ends is silence. */
export function resampled(samples: Float32Array, { up, down, reach, phases }: Filter): Float32Array {
  const count = Math.round((samples.length * up) / down);
  const out = new Float32Array(count);
  for (let n = 0; n < count; n++) {
    const place = n * down;
    const first = Math.floor(place / up) - reach + 1;
    const taps = phases[place % up]!;
    const from = Math.max(0, -first);
    const to = Math.min(taps.length, samples.length - first);
    let sum = 0;
    for (let tap = from; tap < to; tap++) sum += taps[tap]! * samples[first + tap]!;
    out[n] = sum;
  }
  return out;
}
