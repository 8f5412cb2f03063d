import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { componentsOf } from "../../../agent/io/inference/ocr/components.ts";
import { decodeCtc } from "../../../agent/io/inference/ocr/ctc.ts";
import { boxesOf, detectionSize } from "../../../agent/io/inference/ocr/detection.ts";
import { piecesOf } from "../../../agent/io/inference/ocr/pieces.ts";
import { type LeaningBox, Pyramid, type Raster, sampleBox } from "../../../agent/io/inference/ocr/raster.ts";
import {
  boxAtAngle,
  convexHull,
  type Point,
  smallestBox,
  uprightBounds,
} from "../../../agent/io/inference/ocr/rectangle.ts";

const mapOf = (...rows: string[]): { map: Float32Array; width: number; height: number } => ({
  map: Float32Array.from(rows.join("").replaceAll(".", "0"), (digit) => Number(digit) / 10),
  width: rows[0]!.length,
  height: rows.length,
});

const paper = (width: number, height: number, ink: (x: number, y: number) => boolean): Raster => ({
  width,
  height,
  pixels: Uint8Array.from({ length: width * height * 3 }, (_, at) =>
    ink(Math.floor(at / 3) % width, Math.floor(at / 3 / width)) ? 0 : 255,
  ),
});

describe("components", () => {
  test("areas that touch at a corner are one, areas apart are two", () => {
    const { map, width, height } = mapOf("99...", "..9..", "....9", "9...9");
    const found = componentsOf(map, width, height, 0.3);
    expect(found.map(({ area }) => area)).toEqual([3, 2, 1]);
  });

  test("arms that meet further down are one", () => {
    const { map, width, height } = mapOf("9.9.9", "9.9.9", "99999");
    expect(componentsOf(map, width, height, 0.3).map(({ area }) => area)).toEqual([11]);
  });

  test("the score is the mean over the area, and the threshold itself is not text", () => {
    const { map, width, height } = mapOf("3468");
    const [only, ...others] = componentsOf(map, width, height, Math.fround(0.3));
    expect(others).toEqual([]);
    expect(only).toMatchObject({ area: 3, rows: [0, 1, 3] });
    expect(only!.score).toBeCloseTo(0.6);
  });

  test("agrees with a flood fill on random maps", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 144 }),
        (width, bits) => {
          const height = Math.ceil(bits.length / width);
          const map = Float32Array.from({ length: width * height }, (_, at) => (bits[at] ? 1 : 0));
          const areas = componentsOf(map, width, height, 0.5).map(({ area }) => area);
          expect(areas.sort()).toEqual(floodAreas(map, width, height).sort());
        },
      ),
    );
  });
});

function floodAreas(map: Float32Array, width: number, height: number): number[] {
  const seen = new Set<number>();
  const areas: number[] = [];
  for (let start = 0; start < map.length; start++) {
    if (map[start] === 0 || seen.has(start)) continue;
    const open = [start];
    seen.add(start);
    let area = 0;
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      area++;
      for (const [dx, dy] of [-1, 0, 1].flatMap((x) => [-1, 0, 1].map((y) => [x, y] as const))) {
        const x: number = (at % width) + dx;
        const y: number = Math.floor(at / width) + dy;
        const next: number = y * width + x;
        if (x < 0 || x >= width || y < 0 || y >= height || map[next] === 0 || seen.has(next)) continue;
        seen.add(next);
        open.push(next);
      }
    }
    areas.push(area);
  }
  return areas;
}

describe("rectangles", () => {
  const corners = (box: LeaningBox): Point[] => {
    const [cos, sin] = [Math.cos(box.angle), Math.sin(box.angle)];
    return [-1, 1].flatMap((across) =>
      [-1, 1].map((along): Point => {
        const [x, y] = [(along * box.width) / 2, (across * box.height) / 2];
        return [box.centreX + x * cos - y * sin, box.centreY + x * sin + y * cos];
      }),
    );
  };

  test("a hull leaves out what lies inside and on its edges", () => {
    const hull = convexHull([
      [0, 0],
      [4, 0],
      [4, 4],
      [0, 4],
      [2, 2],
      [2, 0],
      [4, 2],
    ]);
    expect(hull).toHaveLength(4);
    expect(hull).toEqual(
      expect.arrayContaining([
        [0, 0],
        [4, 0],
        [4, 4],
        [0, 4],
      ]),
    );
  });

  test("the smallest box around a leaning box is that box", () => {
    const box: LeaningBox = { centreX: 50, centreY: 30, width: 60, height: 8, angle: 0.2 };
    const found = smallestBox(convexHull(corners(box)));
    for (const key of ["centreX", "centreY", "width", "height", "angle"] as const)
      expect(found[key]).toBeCloseTo(box[key]);
  });

  test("every point lies in the box at any angle and in its upright bounds", () => {
    const points = fc.array(fc.tuple(fc.integer({ min: 0, max: 99 }), fc.integer({ min: 0, max: 99 })), {
      minLength: 1,
    });
    fc.assert(
      fc.property(points, fc.double({ min: -0.8, max: 0.8, noNaN: true }), (some, angle) => {
        const { left, top, right, bottom } = uprightBounds(boxAtAngle(convexHull(some), angle));
        for (const [x, y] of some) {
          expect(x).toBeGreaterThanOrEqual(left - 1e-6);
          expect(x).toBeLessThanOrEqual(right + 1e-6);
          expect(y).toBeGreaterThanOrEqual(top - 1e-6);
          expect(y).toBeLessThanOrEqual(bottom + 1e-6);
        }
      }),
    );
  });
});

describe("detection", () => {
  test("the detector's grid is at most 960 long and a multiple of 32, and never nothing", () => {
    expect(detectionSize(1000, 1400)).toEqual({ width: 672, height: 960 });
    expect(detectionSize(320, 64)).toEqual({ width: 320, height: 64 });
    expect(detectionSize(4096, 1)).toEqual({ width: 960, height: 32 });
  });

  test("boxes grow back over the whole line, in pixels of the page; specks and faint areas are no text", () => {
    const size = { width: 64, height: 32 };
    const map = new Float32Array(64 * 32);
    const paint = (x: number, y: number, width: number, height: number, value: number): void => {
      for (let row = y; row < y + height; row++) map.fill(value, row * 64 + x, row * 64 + x + width);
    };
    paint(10, 10, 40, 4, 0.9);
    paint(2, 2, 3, 3, 0.9);
    paint(10, 24, 40, 4, 0.4);
    const { boxes, lean } = boxesOf(map, size, { width: 128, height: 64 });
    expect(lean).toBeCloseTo(0);
    expect(boxes).toHaveLength(1);
    const margin = (80 * 8 * 2) / (2 * (80 + 8));
    expect(boxes[0]!.centreX).toBeCloseTo(60);
    expect(boxes[0]!.centreY).toBeCloseTo(24);
    expect(boxes[0]!.width).toBeCloseTo(80 + 2 * margin);
    expect(boxes[0]!.height).toBeCloseTo(8 + 2 * margin);
  });
});

describe("sampling", () => {
  test("an upright box is cut out as it is, in planes of blue, green, red from -1 to 1", () => {
    const raster = paper(8, 6, (x, y) => x === 3 && y === 2);
    raster.pixels.set([255, 51, 0], (2 * 8 + 4) * 3);
    const planes = new Float32Array(3 * 2 * 4).fill(9);
    sampleBox(new Pyramid(raster), { centreX: 4, centreY: 3, width: 2, height: 2, angle: 0 }, 2, 2, planes, 4);
    const expected = [
      [-1, -1, 1, 1],
      [-1, -0.6, 1, 1],
      [-1, 1, 1, 1],
    ];
    for (const [plane, [a, b, c, d]] of expected.entries()) {
      const rows = planes.subarray(plane * 8, plane * 8 + 8);
      [a, b, 9, 9, c, d, 9, 9].forEach((value, at) => {
        expect(rows[at]).toBeCloseTo(value!);
      });
    }
  });

  test("a leaning line comes out level", () => {
    const angle = 0.15;
    const raster = paper(200, 100, (x, y) => Math.abs((y - 50) * Math.cos(angle) - (x - 100) * Math.sin(angle)) < 4);
    const planes = new Float32Array(3 * 16 * 120);
    sampleBox(
      new Pyramid(raster),
      { centreX: 100.5, centreY: 50.5, width: 120, height: 16, angle },
      120,
      16,
      planes,
      120,
    );
    for (let column = 0; column < 120; column++) {
      expect(planes[8 * 120 + column]).toBeLessThan(-0.9);
      expect(planes[1 * 120 + column]).toBeGreaterThan(0.9);
      expect(planes[14 * 120 + column]).toBeGreaterThan(0.9);
    }
  });

  test("a much larger box is averaged, not picked from", () => {
    const raster = paper(256, 256, (x, y) => (x + y) % 2 === 0);
    const planes = new Float32Array(3 * 16 * 16);
    sampleBox(
      new Pyramid(raster),
      { centreX: 128, centreY: 128, width: 256, height: 256, angle: 0 },
      16,
      16,
      planes,
      16,
    );
    for (const value of planes) expect(Math.abs(value)).toBeLessThan(0.02);
  });

  test("a box beyond the page's edge repeats the edge", () => {
    const planes = new Float32Array(3 * 4 * 4);
    sampleBox(
      new Pyramid(paper(3, 3, () => true)),
      { centreX: 0, centreY: 0, width: 9, height: 9, angle: 0.7 },
      4,
      4,
      planes,
      4,
    );
    for (const value of planes) expect(value).toBeCloseTo(-1);
  });
});

describe("long lines", () => {
  const words = paper(2400, 48, (x, y) => x % 300 < 260 && x % 20 < 16 && y > 12 && y < 36);
  const line: LeaningBox = { centreX: 1200, centreY: 24, width: 2400, height: 48, angle: 0 };

  test("are cut between words, into pieces that cover them whole", () => {
    const pieces = piecesOf(new Pyramid(words), line, 48, 800);
    expect(pieces.length).toBeGreaterThanOrEqual(3);
    expect(pieces.reduce((sum, { box }) => sum + box.width, 0)).toBeCloseTo(2400);
    for (const [index, { box, spaceBefore }] of pieces.entries()) {
      expect(box.width).toBeLessThanOrEqual(800);
      const left = box.centreX - box.width / 2;
      expect(spaceBefore).toBe(index > 0);
      if (index > 0) expect(left % 300).toBeGreaterThan(255);
    }
  });

  test("are cut anywhere, without a space, when there is no gap", () => {
    const solid = paper(2400, 48, (_, y) => y > 12 && y < 36);
    const pieces = piecesOf(new Pyramid(solid), line, 48, 800);
    expect(pieces.length).toBeGreaterThanOrEqual(3);
    expect(pieces.every(({ spaceBefore }) => !spaceBefore)).toBe(true);
  });

  test("short ones stay whole", () => {
    const short = { ...line, centreX: 300, width: 600 };
    expect(piecesOf(new Pyramid(words), short, 48, 800)).toEqual([{ box: short, spaceBefore: false }]);
  });
});

describe("CTC", () => {
  const characters = ["", "a", "b", " "];
  const steps = (...rows: number[][]): Float32Array => Float32Array.from(rows.flat());

  test("repeats are one character, a blank between them makes two, blanks are nothing", () => {
    const a = [0.1, 0.8, 0.1, 0];
    const blank = [0.9, 0.1, 0, 0];
    expect(decodeCtc(steps(blank, a, a, blank, a, blank), characters).text).toBe("aa");
    expect(decodeCtc(steps(blank, blank), characters)).toEqual({ text: "", score: 0 });
  });

  test("the score is the mean of the characters' own steps", () => {
    const read = decodeCtc(steps([0, 0.8, 0.2, 0], [0, 0.4, 0.6, 0]), characters);
    expect(read.text).toBe("ab");
    expect(read.score).toBeCloseTo(0.7);
  });

  test("a space that loses narrowly to the blank still parts two words, and none stands at the ends", () => {
    const a = [0, 1, 0, 0];
    const maybe = [0.7, 0, 0, 0.3];
    const hardly = [0.9, 0, 0, 0.1];
    expect(decodeCtc(steps(maybe, a, maybe, a, hardly, a, maybe), characters).text).toBe("a aa");
  });
});
