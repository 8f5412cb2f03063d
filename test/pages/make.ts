/**
 * Makes the bundled pages: `node test/pages/make.ts [folder]`. The pages are committed, because they must not change with
 * the fonts of the machine that runs this; agent/samples/README.md names the fonts and where they come from.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp, { type Sharp } from "sharp";
import type { Sheet } from "./sheet.ts";
import * as sheets from "./texts.ts";

/** What time, paper and a scanner do to a page. */
interface Wear {
  /** Degrees, clockwise. */
  skew?: number;
  /** Standard deviation of the grain, in steps of 255. */
  grain?: number;
  blur?: number;
  /** Darker corners, 0 to 1. */
  vignette?: number;
}
interface Page {
  name: string;
  sheet: Sheet;
  wear?: Wear;
  save: (image: Sharp) => Sharp;
  format: "png" | "jpg" | "webp";
}

const png = (image: Sharp): Sharp => image.png({ palette: true, colours: 16, effort: 10, dither: 0 });
const jpeg =
  (quality: number) =>
  (image: Sharp): Sharp =>
    image.jpeg({ quality, mozjpeg: true });
const webp =
  (quality: number) =>
  (image: Sharp): Sharp =>
    image.webp({ quality, effort: 6 });

const pages: Page[] = [
  { name: "invoice", sheet: sheets.invoice(), format: "png", save: png },
  {
    name: "delivery-note",
    sheet: sheets.deliveryNote(),
    format: "jpg",
    save: jpeg(55),
    wear: { grain: 10, blur: 0.5 },
  },
  { name: "lab-report", sheet: sheets.labReport(), format: "png", save: png },
  { name: "menu", sheet: sheets.menu(), format: "webp", save: webp(60), wear: { vignette: 0.25 } },
  { name: "notice", sheet: sheets.notice(), format: "png", save: png },
  { name: "newsletter", sheet: sheets.newsletter(), format: "png", save: png },
  { name: "minutes", sheet: sheets.minutes(), format: "jpg", save: jpeg(60), wear: { skew: 1.4, blur: 0.4, grain: 4 } },
  { name: "receipt", sheet: sheets.receipt(), format: "jpg", save: jpeg(65), wear: { grain: 5 } },
  { name: "timetable", sheet: sheets.timetable(), format: "png", save: png },
  { name: "letter", sheet: sheets.letter(), format: "webp", save: webp(55), wear: { skew: -0.9, blur: 0.5, grain: 3 } },
  { name: "manual", sheet: sheets.manual(), format: "webp", save: webp(65) },
  // Photographed sideways, as telephones do: the pixels lie on their side and the orientation tag says so.
  {
    name: "label",
    sheet: sheets.label(),
    format: "jpg",
    save: (image) => image.rotate(-90).withMetadata({ orientation: 6 }).jpeg({ quality: 60, mozjpeg: true }),
    wear: { vignette: 0.45, grain: 5, blur: 0.6 },
  },
];

/** mulberry32: the same grain each time. */
function chanceFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

async function worn(page: Page): Promise<Sharp> {
  const { skew = 0, grain = 0, blur = 0, vignette = 0 } = page.wear ?? {};
  const { width, height } = page.sheet;
  let image = sharp(Buffer.from(page.sheet.svg())).flatten({ background: "#ffffff" });
  if (skew !== 0) {
    const turned = await image.rotate(skew, { background: "#f0efe9" }).png().toBuffer();
    image = sharp(turned).resize(width, height, { fit: "cover" });
  }
  if (blur > 0) image = image.blur(blur);
  const { data } = await image.removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const chance = chanceFrom(page.name.length * 7919);
  for (let at = 0; at < data.length; at += 3) {
    const x = ((at / 3) % width) / width - 0.5;
    const y = Math.floor(at / 3 / width) / height - 0.5;
    const light = 1 - vignette * 2 * (x * x + y * y);
    const noise = grain * (chance() + chance() + chance() - 1.5) * 2;
    for (let channel = 0; channel < 3; channel++)
      data[at + channel] = Math.min(255, Math.max(0, Math.round(data[at + channel]! * light + noise)));
  }
  return sharp(data, { raw: { width, height, channels: 3 } });
}

const folder = process.argv[2] ?? fileURLToPath(new URL("../../agent/samples/pages", import.meta.url));
await mkdir(folder, { recursive: true });
let total = 0;
for (const page of pages) {
  const bytes = await page.save(await worn(page)).toBuffer();
  total += bytes.length;
  await writeFile(join(folder, `${page.name}.${page.format}`), bytes);
  await writeFile(join(folder, `${page.name}.txt`), page.sheet.text());
  console.log(`${page.name}.${page.format}: ${bytes.length} bytes`);
}
console.log(`${pages.length} pages, ${total} bytes`);
