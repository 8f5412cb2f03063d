/** Recordings that the heads learn from: which there are, who speaks, and which of them are kept for the test. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const LANGUAGES = ["en", "es", "fr", "it", "ru"] as const;

export interface Clip {
  file: string;
  label: string;
  /** Who speaks, or plays. */
  voice: string;
  /** The words, or the piece: nothing that is tested on was learned from, in any voice. */
  heldOut: boolean;
  read(): Uint8Array;
}

export interface Source {
  /** A Debian package. */
  package: string;
  /** Below /usr/share. */
  folder: string;
  label: string;
  voice: string;
}

const sounds = "asterisk/sounds";
/** Recordings of the same lines of a telephone exchange; English and Spanish by one speaker, Italian by two. */
export const SPOKEN: readonly Source[] = [
  { package: "asterisk-core-sounds-en-wav", folder: `${sounds}/en_US_f_Allison`, label: "en", voice: "Allison" },
  { package: "asterisk-core-sounds-es-wav", folder: `${sounds}/es_MX_f_Allison`, label: "es", voice: "Allison" },
  { package: "asterisk-core-sounds-fr-wav", folder: `${sounds}/fr_CA_f_June`, label: "fr", voice: "June" },
  { package: "asterisk-core-sounds-it-wav", folder: `${sounds}/it_IT_m_Carlo`, label: "it", voice: "Carlo" },
  { package: "asterisk-prompt-it-menardi-wav", folder: `${sounds}/it_IT_f_Menardi`, label: "it", voice: "Paola" },
  { package: "asterisk-core-sounds-ru-wav", folder: `${sounds}/ru_RU_f_IvrvoiceRU`, label: "ru", voice: "IvrvoiceRU" },
];
/** Nobody here is learned from. */
export const STRANGERS: readonly Source[] = [
  { package: "pocketsphinx-testdata", folder: "pocketsphinx/test/data/librivox", label: "en", voice: "LibriVox" },
  { package: "pocketsphinx-testdata", folder: "pocketsphinx/test/data/cards", label: "en", voice: "cards" },
  { package: "asterisk-prompt-fr-armelle", folder: `${sounds}/fr`, label: "fr", voice: "Armelle" },
  { package: "asterisk-prompt-es-co", folder: `${sounds}/es`, label: "es", voice: "July" },
];
export const MUSIC: Source = { package: "asterisk-moh-opsound-wav", folder: "asterisk/moh", label: "music", voice: "" };

/** Downloads the packages with `apt-get`, unpacks them with `dpkg-deb`; nothing is installed. */
export function unpacked(sources: readonly Source[], folder: string): void {
  const root = join(folder, "unpacked");
  mkdirSync(root, { recursive: true });
  for (const name of new Set(sources.map((source) => source.package))) {
    const found = (): string | undefined => readdirSync(folder).find((file) => file.startsWith(`${name}_`));
    if (!found()) execFileSync("apt-get", ["download", name], { cwd: folder, stdio: "ignore" });
    execFileSync("dpkg-deb", ["-x", found()!, root], { cwd: folder });
  }
}

/** GSM is read through `sox`. */
export function clipsOf({ folder, label, voice }: Source, root: string): Clip[] {
  const place = join(root, "unpacked/usr/share", folder);
  const files = readdirSync(place).filter((file) => /\.(wav|gsm)$/.test(file));
  return files.sort().map((file) => {
    const path = join(place, file);
    const read = (): Uint8Array => (file.endsWith(".wav") ? readFileSync(path) : wavOf(path));
    return { file, label, voice: voice || file.split(/[-_]/)[0]!, heldOut: isHeldOut(file), read };
  });
}

const wavOf = (path: string): Uint8Array =>
  execFileSync("sox", [path, "-t", "wav", "-e", "signed", "-b", "16", "-"], { stdio: ["ignore", "pipe", "ignore"] });

/** One name in four: the same line has the same name in every language. FNV-1a. */
function isHeldOut(file: string): boolean {
  let hash = 2_166_136_261;
  for (const letter of file.replace(/\.\w+$/, "")) hash = Math.imul(hash ^ letter.charCodeAt(0), 16_777_619) >>> 0;
  return hash % 4 === 0;
}

/** Of a WAV file with nothing in front of its samples but the format, and nothing behind them. */
export const secondsOf = (wav: Uint8Array): number =>
  (wav.length - HEADER_BYTES) / Buffer.from(wav.subarray(0, HEADER_BYTES)).readUInt32LE(28);

/** The first so many pieces of equal length of such a file, one behind the other. */
export function piecesOf(wav: Uint8Array, seconds: number, most: number): Uint8Array[] {
  const header = Buffer.from(wav.subarray(0, HEADER_BYTES));
  const bytes = seconds * header.readUInt32LE(28);
  const count = Math.min(most, Math.floor((wav.length - HEADER_BYTES) / bytes));
  return Array.from({ length: count }, (_, i) => {
    const from = HEADER_BYTES + i * bytes;
    const own = Buffer.concat([header, wav.subarray(from, from + bytes)]);
    own.writeUInt32LE(HEADER_BYTES - 8 + bytes, 4);
    own.writeUInt32LE(bytes, 40);
    return own;
  });
}
const HEADER_BYTES = 44;
