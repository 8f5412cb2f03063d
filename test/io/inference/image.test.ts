import { readFile } from "node:fs/promises";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { samplePages } from "../../../agent/io/inference/index.ts";
import { decodeImage } from "../../../agent/io/inference/ocr/image.ts";
import { SkeinError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { whitePng } from "../../support/white-png.ts";

const failureOf = async (input: Uint8Array): Promise<SkeinError> => {
  const outcome = await decodeImage(input, "page").catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(SkeinError);
  return outcome as SkeinError;
};

const sample = async (name: string): Promise<Uint8Array> =>
  readFile((await samplePages()).find((page) => page.name === name)!.path);

describe("what is refused", () => {
  test("0 bytes", async () => {
    expect(await failureOf(new Uint8Array(0))).toMatchObject({ code: "INPUT_EMPTY", facts: { name: "page" } });
  });

  test("anything but PNG, JPEG and WebP, by its content", async () => {
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
    const gif = await sharp({ create: { width: 9, height: 9, channels: 3, background: "red" } })
      .gif()
      .toBuffer();
    const tiff = await sharp({ create: { width: 9, height: 9, channels: 3, background: "red" } })
      .tiff()
      .toBuffer();
    for (const input of [svg, gif, tiff, Buffer.from("hello"), Buffer.alloc(5_000), Buffer.from([0xff])])
      expect((await failureOf(input)).code).toBe("IMAGE_UNREADABLE");
  });

  test("the right first bytes with nothing sensible behind them", async () => {
    for (const start of ["89504e470d0a1a0a", "ffd8ffe0", "524946460000000057454250"])
      expect((await failureOf(Buffer.concat([Buffer.from(start, "hex"), Buffer.alloc(500, 7)]))).code).toBe(
        "IMAGE_UNREADABLE",
      );
  });

  test.each(["invoice.png", "receipt.jpg", "letter.webp"])("%s cut short anywhere", async (name) => {
    const whole = await sample(name);
    for (const share of [0.02, 0.3, 0.6, 0.9, 0.99]) {
      const error = await failureOf(whole.subarray(0, Math.floor(whole.length * share)));
      expect(error.code).toBe("IMAGE_UNREADABLE");
      expect(error.facts.reason).not.toMatch(/\n/);
    }
  });

  test("an image of 200 megapixels, from its header alone", async () => {
    const input = whitePng(20_000, 10_000);
    expect(input.length).toBeLessThan(100_000);
    const before = process.memoryUsage.rss();
    expect(await failureOf(input)).toMatchObject({
      code: "IMAGE_TOO_LARGE",
      facts: { pixels: 200_000_000, limit: LIMITS.imagePixelsMax },
    });
    expect(process.memoryUsage.rss() - before).toBeLessThan(100e6);
  });
});

describe("what is read", () => {
  test("the limit itself is allowed, and a large image is read from a smaller copy", async () => {
    const page = await decodeImage(whitePng(10_000, 10_000), "page");
    expect(page).toMatchObject({ width: 10_000, height: 10_000 });
    expect(Math.max(page.raster.width, page.raster.height)).toBeLessThanOrEqual(4096);
  });

  test("an image on its side is turned upright by its orientation tag", async () => {
    const page = await decodeImage(await sample("label.jpg"), "label.jpg");
    expect(page).toMatchObject({ width: 1000, height: 700 });
    expect(page.raster).toMatchObject({ width: 1000, height: 700 });
  });

  test("what is transparent is white paper", async () => {
    const clear = await sharp({
      create: { width: 4, height: 4, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } },
    });
    const { raster } = await decodeImage(await clear.png().toBuffer(), "page");
    expect([...new Set(raster.pixels)]).toEqual([255]);
  });

  test("grey, 16-bit, palette and CMYK images come out as red, green, blue bytes", async () => {
    const red = sharp({ create: { width: 8, height: 8, channels: 3, background: { r: 250, g: 10, b: 10 } } });
    const kinds = {
      grey: await red.clone().toColourspace("b-w").png().toBuffer(),
      deep: await red.clone().toColourspace("rgb16").png().toBuffer(),
      palette: await red.clone().png({ palette: true }).toBuffer(),
      cmyk: await red.clone().toColourspace("cmyk").jpeg().toBuffer(),
    };
    for (const [kind, input] of Object.entries(kinds)) {
      const { raster } = await decodeImage(input, kind);
      expect(raster.pixels.length).toBe(8 * 8 * 3);
      const [r, g] = raster.pixels;
      if (kind === "grey") expect(r).toBe(g);
      else expect(r! - g!).toBeGreaterThan(100);
    }
  });
});
