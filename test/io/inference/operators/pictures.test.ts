import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { Pyramid, type Raster, sampleBox } from "../../../../agent/io/inference/ocr/raster.ts";
import type { Value } from "../../../../shared/pipeline/values.ts";
import { floats, image, json, list, NONE, numbersOf, plain, run } from "./running.ts";

const shapeOf = (value: Value | undefined): number[] => (value?.kind === "tensor" ? value.shape : []);
const elementsOf = (value: Value | undefined): Value[] => (value?.kind === "list" ? value.elements : []);
/** Red grows to the right, green downwards. */
const slope = image(20, 30, (x, y) => [x * 8, y * 12, 7]);

describe("pictures", () => {
  test("decode turns by EXIF and lays on white", async () => {
    const raw = { width: 2, height: 1, channels: 4 } as const;
    const png = await sharp(Uint8Array.from([255, 0, 0, 255, 0, 0, 0, 0]), { raw })
      .png()
      .toBuffer();
    const decoded = await run("image/decode@1", { bytes: { kind: "bytes", bytes: png } });
    expect(plain(decoded.image)).toEqual({ shape: [1, 2, 3], values: [255, 0, 0, 255, 255, 255] });
    const upright = await sharp(png).withMetadata({ orientation: 6 }).webp({ lossless: true }).toBuffer();
    const turned = await run("image/decode@1", { bytes: { kind: "bytes", bytes: upright } });
    expect(shapeOf(turned.image)).toEqual([2, 1, 3]);
    expect(plain(turned.size)).toEqual({ width: 1, height: 2 });
  });

  test("resize gives what sharp gives", async () => {
    const raw = { width: 30, height: 20, channels: 3 } as const;
    const pixels = Uint8Array.from(numbersOf(slope));
    const own = await run("image/resize@1", { image: slope }, { with: { width: 13, height: 7, kernel: "cubic" } });
    const theirs = await sharp(pixels, { raw })
      .resize({ width: 13, height: 7, fit: "fill", kernel: "cubic" })
      .raw()
      .toBuffer();
    expect(shapeOf(own.image)).toEqual([7, 13, 3]);
    expect(numbersOf(own.image)).toEqual([...theirs]);
  });

  test("fit keeps the proportions but for the rounding, and makes nothing larger", async () => {
    const fitted = async (how: Record<string, number>): Promise<number[]> =>
      shapeOf((await run("image/fit@1", { image: slope }, { with: how })).image);
    expect(await fitted({ side: 15 })).toEqual([10, 15, 3]);
    expect(await fitted({ side: 100 })).toEqual([20, 30, 3]);
    expect(await fitted({ side: 30, multiple: 32 })).toEqual([32, 32, 3]);
  });

  test("a letterbox has the whole picture in its middle, and says where", async () => {
    const { image: boxed, placement } = await run(
      "image/letterbox@1",
      { image: slope },
      { with: { width: 15, height: 16, fill: 3 } },
    );
    expect(plain(placement)).toEqual({ scale: 0.5, left: 0, top: 3, width: 30, height: 20 });
    const values = numbersOf(boxed);
    expect(values.slice(0, 3 * 15 * 3).every((byte) => byte === 3)).toBe(true);
    expect(values.slice(13 * 15 * 3).every((byte) => byte === 3)).toBe(true);
    expect(values[3 * 15 * 3 + 2]).toBe(7);
  });

  test("crops are cut at the picture's edge, and one outside is a pixel of it", async () => {
    const boxes = json([{ box: [28, 18, 10, 10] }, { box: [2, 1, 2, 2] }, { box: [90, 90, 5, 5] }]);
    const crops = elementsOf((await run("image/crop@1", { image: slope, boxes })).crops);
    expect(crops.map(shapeOf)).toEqual([
      [2, 2, 3],
      [2, 2, 3],
      [1, 1, 3],
    ]);
    expect(numbersOf(crops[1])).toEqual([16, 12, 7, 24, 12, 7, 16, 24, 7, 24, 24, 7]);
    expect(numbersOf(crops[2])).toEqual([29 * 8, 19 * 12, 7]);
  });

  test("pixels are normalised by colour, in either order and layout", async () => {
    const two = image(1, 2, (x) => (x === 0 ? [255, 0, 51] : [0, 255, 0]));
    const how = { mean: [0.5, 0, 0], std: [0.5, 1, 2] };
    const planes = await run("image/normalise@1", { image: two }, { with: how });
    expect(shapeOf(planes.tensor)).toEqual([1, 3, 1, 2]);
    const rounded = (value: Value | undefined): number[] =>
      numbersOf(value).map((one) => Math.round(one * 1000) / 1000);
    expect(rounded(planes.tensor)).toEqual([1, -1, 0, 1, 0.1, 0]);
    const last = await run("image/normalise@1", { image: two }, { with: { ...how, layout: "nhwc", order: "bgr" } });
    expect(rounded(last.tensor)).toEqual([0.1, 0, 1, 0, 1, -1]);
  });
});

describe("boxes", () => {
  const box = (left: number, score: number, label?: string): Record<string, number | string | number[]> => ({
    box: [left, 0, 10, 10],
    score,
    ...(label !== undefined && { label }),
  });
  const kept = async (
    boxes: ReturnType<typeof box>[],
    how: Record<string, number | boolean> = {},
  ): Promise<number[]> => {
    const { boxes: given } = await run("vision/nms@1", { boxes: json(boxes) }, { with: { overlapMax: 0.3, ...how } });
    return (plain(given) as { box: number[] }[]).map(({ box: [left] }) => left!);
  };

  test("of boxes that cover much of the same the best stays", async () => {
    // 10 x 10 boxes: 2 apart they share 80 of 120, 5 apart 50 of 150 (a third), 6 apart 40 of 160 (a quarter).
    expect(await kept([box(0, 0.8), box(2, 0.9), box(20, 0.1)])).toEqual([2, 20]);
    expect(await kept([box(0, 0.9), box(5, 0.8)])).toEqual([0]);
    expect(await kept([box(0, 0.9), box(6, 0.8)])).toEqual([0, 6]);
  });

  test("one that was dropped drops no other", async () => {
    expect(await kept([box(0, 0.9), box(5, 0.8), box(10, 0.7)])).toEqual([0, 10]);
  });

  test("labels are apart unless it is told otherwise", async () => {
    const boxes = [box(0, 0.9, "cat"), box(1, 0.8, "dog")];
    expect(await kept(boxes)).toEqual([0, 1]);
    expect(await kept(boxes, { byLabel: false })).toEqual([0]);
  });

  test("anchors lie in the middles of the cells, grid by grid, and what the letterbox did is undone", async () => {
    const scores = floats([1, 5, 1], [-9, -9, 2, -9, 0]);
    const raw = Array.from({ length: 5 * 6 }, () => 0);
    raw.splice(2 * 6, 6, 1, -1, 8, 4, 3, 3);
    const how = { size: 16, grids: [2, 1], perCell: [1, 1], scoreMin: 0.6 };
    const inputs = { scores, boxes: floats([1, 5, 6], raw) };
    const found = await run("vision/anchors@1", inputs, { with: how });
    const sigmoid = 1 / (1 + Math.exp(-2));
    // The third of four cells of 8 pixels: its middle is at 4, 12.
    expect(plain(found.boxes)).toEqual([{ box: [1, 9, 8, 4], score: sigmoid, points: [[7, 15]] }]);
    expect(plain(found.best)).toBe(sigmoid);
    const placement = json({ scale: 0.5, left: 0, top: 4, width: 32, height: 16 });
    const undone = await run("vision/anchors@1", { ...inputs, placement }, { with: how });
    expect((plain(undone.boxes) as { box: number[] }[])[0]!.box).toEqual([2, 10, 16, 8]);
  });
});

describe("pages", () => {
  const page = image(96, 200, (x, y) =>
    y > 20 && y < 40 && x > 10 && x < 180 && x % 7 < 4 ? [0, 0, 0] : [255, 255, 255],
  );
  const size = json({ width: 200, height: 96 });
  const line = { centreX: 95, centreY: 30, width: 180, height: 24, angle: 0 };
  const lines = json({ width: 200, height: 96, lean: 0, boxes: [line], rows: [[0]] });

  test("an area of the detector's map is a line of the page, grown by the rule of the built-in pipeline", async () => {
    const map = Array.from({ length: 96 * 192 }, (_, at) =>
      Math.floor(at / 192) >= 20 && Math.floor(at / 192) < 40 && at % 192 > 9 ? 0.9 : 0,
    );
    const found = await run("ocr/boxes@1", { probabilities: floats([1, 1, 96, 192], map), size });
    const { boxes, rows } = plain(found.lines) as { boxes: (typeof line)[]; rows: number[][] };
    expect(rows).toEqual([[0]]);
    const [tightWidth, tightHeight] = [182 * (200 / 192), 20];
    const margin = (tightWidth * tightHeight * 2) / (2 * (tightWidth + tightHeight));
    expect(boxes[0]!.width).toBeCloseTo(tightWidth + 2 * margin);
    expect(boxes[0]!.height).toBeCloseTo(tightHeight + 2 * margin);
    expect(plain(found.count)).toBe(1);
  });

  test("a strip is the line as the built-in pipeline samples it", async () => {
    const { strips, pieces } = await run("ocr/strips@1", { image: page, lines });
    expect(plain(pieces)).toEqual([{ box: 0, spaceBefore: false }]);
    const [strip] = elementsOf(strips);
    expect(shapeOf(strip)).toEqual([1, 3, 48, 384]);
    const raster: Raster = { width: 200, height: 96, pixels: Uint8Array.from(numbersOf(page)) };
    const planes = new Float32Array(3 * 48 * 384);
    sampleBox(new Pyramid(raster), line, 360, 48, planes, 384);
    expect(numbersOf(strip)).toEqual([...planes]);
  });

  test("a strip turned twice is the same, and what the turn model sees is squeezed to its width", async () => {
    const [strip] = elementsOf((await run("ocr/strips@1", { image: page, lines })).strips) as [Value];
    const scores = floats([1, 2], [0.05, 0.95]);
    const once = await run("ocr/turn@1", { strip, scores });
    expect(plain(once.turned)).toBe(true);
    expect(numbersOf(once.strip)).not.toEqual(numbersOf(strip));
    const twice = await run("ocr/turn@1", { strip: once.strip!, scores });
    expect(numbersOf(twice.strip)).toEqual(numbersOf(strip));
    const unsure = await run("ocr/turn@1", { strip, scores: floats([1, 2], [0.2, 0.8]) });
    expect(unsure.strip).toEqual(strip);
    const { x } = await run("ocr/turn-input@1", { strip });
    expect(shapeOf(x)).toEqual([1, 3, 48, 192]);
    const sum = (value: Value | undefined): number => numbersOf(value).reduce((a, b) => a + b, 0);
    expect(sum(x) / 192 / 144).toBeCloseTo(sum(strip) / 360 / 144, 1);
  });

  test("pieces are joined in reading order, doubtful lines and skipped pieces left out; turned lines from their end", async () => {
    const boxes = [0, 40].map((y) => ({ ...line, centreY: 20 + y, width: 160, height: 20 }));
    const two = json({ width: 200, height: 96, lean: 0, boxes, rows: [[0], [1]] });
    const pieces = json([
      { box: 0, spaceBefore: false },
      { box: 0, spaceBefore: true },
      { box: 1, spaceBefore: false },
    ]);
    const inputs = (last: Value, score: Value): Record<string, Value> => ({
      texts: list(json("one"), json("two"), last),
      scores: list(json(0.9), json(0.8), score),
      ...{ pieces, lines: two },
    });
    expect(plain((await run("ocr/page@1", inputs(json("three"), json(0.9)))).text)).toBe("one two\nthree");
    expect(plain((await run("ocr/page@1", inputs(json("three"), json(0.3)))).text)).toBe("one two");
    expect(plain((await run("ocr/page@1", inputs(NONE, NONE))).text)).toBe("one two");
    const turned = list(json(true), json(true), json(true));
    const page = await run("ocr/page@1", { ...inputs(json("three"), json(0.9)), turned });
    expect(plain(page.text)).toBe("three\ntwo one");
  });
});
