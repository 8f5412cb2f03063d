import { randomBytes } from "node:crypto";
import type { Randomness } from "../../ports/index.ts";

/** Crockford's base 32: no i, l, o (look like 1 and 0), no u. */
const SYMBOLS = "0123456789abcdefghjkmnpqrstvwxyz";

export const systemRandomness: Randomness = {
  /** 53 bits, as many as a double holds between 0 and 1. */
  random: () => Number(randomBytes(8).readBigUInt64LE() >> 11n) / 2 ** 53,
  token: (length) => Array.from(randomBytes(length), (byte) => SYMBOLS[byte & 31]).join(""),
};
