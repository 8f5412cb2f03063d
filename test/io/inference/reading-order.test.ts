import { expect, test } from "vitest";
import type { LeaningBox } from "../../../agent/io/inference/ocr/raster.ts";
import { readingOrder } from "../../../agent/io/inference/ocr/reading-order.ts";

/** A page as a list of words with their places; lean is applied to the places. */
interface Put {
  text: string;
  left: number;
  top: number;
  width: number;
  height?: number;
}

function read(puts: readonly Put[], lean = 0): string {
  const shuffled = puts.map((put, index) => ({ put, key: (index * 7919) % 101 })).sort((a, b) => a.key - b.key);
  const boxes = shuffled.map(({ put: { left, top, width, height = 20 } }): LeaningBox => {
    const [x, y] = [left + width / 2, top + height / 2];
    const [cos, sin] = [Math.cos(lean), Math.sin(lean)];
    return { centreX: x * cos - y * sin, centreY: x * sin + y * cos, width, height, angle: lean };
  });
  return readingOrder(boxes, lean)
    .map((row) => row.map((index) => shuffled[index]!.put.text).join(" "))
    .join("\n");
}

const column = (name: string, left: number, count: number, width = 300): Put[] =>
  Array.from({ length: count }, (_, line) => ({ text: `${name}${line + 1}`, left, top: 100 + line * 30, width }));
const lines = (name: string, count: number): string =>
  Array.from({ length: count }, (_, line) => `${name}${line + 1}`).join("\n");

test("words on one line are read left to right, lines from the top", () => {
  const puts = [
    { text: "second", left: 10, top: 40, width: 90 },
    { text: "line", left: 120, top: 43, width: 60 },
    { text: "first", left: 10, top: 10, width: 90 },
  ];
  expect(read(puts)).toBe("first\nsecond line");
});

test("two columns of prose are read one after the other, between what crosses the page", () => {
  const puts = [
    { text: "heading", left: 10, top: 40, width: 640, height: 40 },
    ...column("l", 10, 5),
    ...column("r", 350, 5),
    { text: "footer", left: 10, top: 280, width: 640 },
  ];
  expect(read(puts)).toBe(`heading\n${lines("l", 5)}\n${lines("r", 5)}\nfooter`);
});

test("three columns are read one after the other", () => {
  const puts = [...column("a", 10, 4, 200), ...column("b", 230, 4, 200), ...column("c", 450, 4, 200)];
  expect(read(puts)).toBe([lines("a", 4), lines("b", 4), lines("c", 4)].join("\n"));
});

test("columns whose lines are not level with each other are columns all the same", () => {
  const puts = [...column("l", 10, 5), ...column("r", 350, 5).map((put) => ({ ...put, top: put.top + 13 }))];
  expect(read(puts)).toBe(`${lines("l", 5)}\n${lines("r", 5)}`);
});

test("a table is read row by row", () => {
  const puts = [0, 1, 2, 3].flatMap((row) => [
    { text: `name${row}`, left: 10, top: 100 + row * 30, width: 250 },
    { text: `${row}.5`, left: 400, top: 102 + row * 30, width: 40 },
    { text: `kg`, left: 500, top: 99 + row * 30, width: 30 },
  ]);
  expect(read(puts)).toBe([0, 1, 2, 3].map((row) => `name${row} ${row}.5 kg`).join("\n"));
});

test("labels and their values are read together", () => {
  const puts = ["Date", "Name", "Town"].flatMap((label, row) => [
    { text: label, left: 10, top: 100 + row * 30, width: 60 },
    { text: `${label}-value`, left: 350, top: 100 + row * 30, width: 260 },
  ]);
  expect(read(puts)).toBe("Date Date-value\nName Name-value\nTown Town-value");
});

test("a page that leans is read as if it did not", () => {
  const puts = [...column("l", 10, 6), ...column("r", 350, 6)];
  for (const lean of [-0.08, 0.08]) expect(read(puts, lean)).toBe(`${lines("l", 6)}\n${lines("r", 6)}`);
});

test("an empty page has no rows", () => {
  expect(readingOrder([], 0)).toEqual([]);
});
