import { describe, expect, test } from "vitest";
import { floats, json, list, NONE, numbersOf, plain, run } from "./running.ts";

describe("core", () => {
  test("first takes the first that is there, and gives nothing where none is", async () => {
    expect((await run("core/first@1", { a: NONE, b: json(2), c: json(3) })).value).toEqual(json(2));
    expect((await run("core/first@1", { a: NONE })).value).toEqual(NONE);
  });

  test("split and join turn a list into values and back, without those that were skipped", async () => {
    const { elements } = await run("core/split@1", { list: json([1, "two", null]) });
    expect(elements).toEqual(list(json(1), json("two"), json(null)));
    expect((await run("core/join@1", { elements: list(json(1), NONE, json("two")) })).list).toEqual(json([1, "two"]));
    await expect(run("core/split@1", { list: json(["a", 2]) }, { with: { as: "text" } })).rejects.toThrow(
      "must be of text elements; its element 1 is not one",
    );
  });

  test("an element is found from the end too", async () => {
    const elements = list(json("a"), json("b"));
    expect((await run("core/element@1", { elements }, { with: { index: -1 } })).value).toEqual(json("b"));
    expect((await run("core/element@1", { elements }, { with: { index: 2 } })).value).toEqual(NONE);
  });
});

describe("tensors", () => {
  const two = floats([2, 3], [1, 2, 3, 4, 5, 6]);

  test("softmax adds up to 1 along the last dimension, whatever the size of the scores", async () => {
    const { probabilities } = await run("tensor/softmax@1", { scores: floats([2, 2], [0, Math.log(3), 1000, 1000]) });
    expect(numbersOf(probabilities).map((one) => Number(one.toFixed(6)))).toEqual([0.25, 0.75, 0.5, 0.5]);
  });

  test("top-k names labels best first, and places where it has none", async () => {
    const scores = floats([1, 4], [0.125, 0.5, 0.25, 0.125]);
    const named = await run("tensor/top-k@1", { scores }, { with: { k: 2 }, files: { labels: "a\nb\nc\nd\n" } });
    expect(Object.fromEntries(Object.entries(named).map(([port, value]) => [port, plain(value)]))).toEqual({
      ...{ label: "b", score: 0.5, index: 1, margin: 0.25 },
      ...{ labels: ["b", "c"], scores: [0.5, 0.25], byLabel: { b: 0.5, c: 0.25 } },
    });
    expect(plain((await run("tensor/top-k@1", { scores }, { with: { k: 9 } })).labels)).toEqual(["1", "2", "0", "3"]);
  });

  test("a threshold gives places and runs of neighbours", async () => {
    const given = await run("tensor/threshold@1", { scores: floats([5], [0.9, 0.5, 0.4, 0.6, 0.1]) });
    expect(plain(given.indexes)).toEqual([0, 1, 3]);
    expect(plain(given.runs)).toEqual([
      [0, 2],
      [3, 4],
    ]);
    expect(plain(given.share)).toBeCloseTo(0.6);
    expect(plain((await run("tensor/threshold@1", { scores: floats([0], []) })).highest)).toBe(0);
  });

  test("concat lays rows behind rows, or columns behind columns", async () => {
    const more = floats([1, 3], [7, 8, 9]);
    expect(plain((await run("tensor/concat@1", { a: two, c: more })).tensor)).toEqual({
      shape: [3, 3],
      values: [1, 2, 3, 4, 5, 6, 7, 8, 9],
    });
    const column = floats([2, 1], [-1, -2]);
    const beside = await run("tensor/concat@1", { a: two, b: column }, { with: { axis: -1 } });
    expect(plain(beside.tensor)).toEqual({ shape: [2, 4], values: [1, 2, 3, -1, 4, 5, 6, -2] });
    await expect(run("tensor/concat@1", { a: two, b: column })).rejects.toThrow("input b must be as [2,3]");
  });

  test("stack makes a new dimension, or goes on along the first", async () => {
    const rows = list(floats([1, 2], [1, 2]), NONE, floats([1, 2], [3, 4]));
    expect(plain((await run("tensor/stack@1", { tensors: rows })).tensor)).toEqual({
      shape: [2, 1, 2],
      values: [1, 2, 3, 4],
    });
    const along = await run("tensor/stack@1", { tensors: rows }, { with: { along: true } });
    expect(plain(along.tensor)).toEqual({ shape: [2, 2], values: [1, 2, 3, 4] });
    await expect(run("tensor/stack@1", { tensors: list(NONE) })).rejects.toThrow("at least one tensor");
  });

  test("pick takes one row without its dimension, or a stretch with it", async () => {
    const pick = async (how: Record<string, number>): Promise<unknown> =>
      plain((await run("tensor/pick@1", { tensor: two }, { with: how })).tensor);
    expect(await pick({ from: -1 })).toEqual({ shape: [3], values: [4, 5, 6] });
    expect(await pick({ axis: 1, from: 1, length: 2 })).toEqual({ shape: [2, 2], values: [2, 3, 5, 6] });
    await expect(pick({ from: 2 })).rejects.toThrow("has 2 rows, and rows 2 to 3 are wanted");
  });

  test("mean and deviation are of each column over all rows", async () => {
    const { tensor, mean } = await run("tensor/mean-std@1", { rows: floats([2, 2, 1], [1, 2, 3, 6]) });
    expect(plain(mean)).toEqual({ shape: [1, 1], values: [3] });
    expect(numbersOf(tensor)[1]).toBeCloseTo(Math.sqrt(3.5));
  });

  test("the scaling of mel spectra is x / 10 + 2", async () => {
    const { tensor } = await run(
      "tensor/scale-add@1",
      { tensor: floats([3], [-20, 0, 5]) },
      { with: { scale: 0.1, add: 2 } },
    );
    expect(plain(tensor)).toEqual({ shape: [3], values: [0, 2, 2.5] });
  });

  test("windows of a mel spectrum have the shape that the embedding takes; what is left over is none", async () => {
    const mel = floats(
      [1, 1, 92, 32],
      Float32Array.from({ length: 92 * 32 }, (_, at) => at),
    );
    const how = { axis: 2, size: 76, step: 8, shape: [1, 76, 32, 1] };
    const { windows } = await run("tensor/window@1", { tensor: mel }, { with: how });
    const all = windows?.kind === "list" ? windows.elements : [];
    expect(all).toHaveLength(3);
    expect(all.map((one) => (one.kind === "tensor" ? one.shape : []))).toEqual([...Array(3)].map(() => [1, 76, 32, 1]));
    expect(all.map((one) => numbersOf(one)[0])).toEqual([0, 8 * 32, 16 * 32]);
    const short = floats(
      [1, 1, 10, 32],
      Float32Array.from({ length: 320 }, () => 1),
    );
    expect(plain((await run("tensor/window@1", { tensor: short }, { with: how })).windows)).toEqual([]);
    const padded = await run("tensor/window@1", { tensor: short }, { with: { ...how, short: "zeros" } });
    const [only] = padded.windows?.kind === "list" ? padded.windows.elements : [];
    expect(numbersOf(only).reduce((a, b) => a + b)).toBe(320);
  });

  test("numbers become tensors and come back", async () => {
    const { tensor } = await run(
      "tensor/from-json@1",
      {
        json: json([
          [1, 2],
          [3, 4],
        ]),
      },
      { with: { datatype: "INT64" } },
    );
    expect(plain(tensor)).toEqual({ shape: [2, 2], values: [1, 2, 3, 4] });
    expect(plain((await run("tensor/to-json@1", { tensor: tensor! })).json)).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(plain((await run("tensor/to-json@1", { tensor: floats([2], [0.1, 3]) })).json)).toEqual([0.100000001, 3]);
    const rate = await run("tensor/constant@1", {}, { with: { values: [16_000], shape: [], datatype: "INT64" } });
    expect(plain(rate.tensor)).toEqual({ shape: [], values: [16_000] });
    expect(plain((await run("tensor/number@1", { tensor: floats([1, 1], [0.5]) })).number)).toBe(0.5);
  });
});

describe("neighbours", () => {
  const matrix = new Uint8Array(Float32Array.from([1, 0, 0, 1, 1, 1, -1, 0]).buffer);
  const files = { matrix, ids: "east\nnorth\nnortheast\nwest" };
  const vector = floats([1, 2], [2, 0]);
  const near = async (how: Record<string, string | number>, inputs = {}): Promise<unknown> =>
    plain((await run("near/neighbours@1", { vector, ...inputs }, { with: { dimensions: 2, ...how }, files })).ids);

  test("rows are ranked by cosine or dot product, equal ones by their place", async () => {
    expect(await near({ k: 4 })).toEqual(["east", "northeast", "north", "west"]);
    expect(await near({ k: 2, by: "dot" })).toEqual(["east", "northeast"]);
  });

  test("parts of the rows merged are the whole", async () => {
    const part = async (rows: number[]): Promise<ReturnType<typeof json>> =>
      (await run("near/neighbours@1", { vector, rows: json(rows) }, { with: { dimensions: 2, k: 3 }, files })).ranked!;
    const ranks = list(await part([0, 1]), await part([1, 3]), await part([3, 9]));
    const merged = await run("near/merge-ranks@1", { ranks, exclude: json(["east"]) }, { with: { k: 2 } });
    expect(plain(merged.ids)).toEqual(["northeast", "north"]);
    expect(await near({ k: 2 }, { exclude: json(["east"]) })).toEqual(["northeast", "north"]);
    expect(await near({ k: 9, from: 1, to: 3 })).toEqual(["northeast", "north"]);
  });

  test("rows are found by their ids", async () => {
    const found = await run(
      "near/rows@1",
      { ids: json(["west", "nowhere", "north"]) },
      { with: { dimensions: 2 }, files },
    );
    expect(plain(found.rows)).toEqual({ shape: [2, 2], values: [-1, 0, 0, 1] });
    expect(plain(found.indexes)).toEqual({ shape: [1, 2], values: [3, 1] });
  });

  test("a matrix that its ids do not match is refused when it is read", async () => {
    await expect(async () => run("near/rows@1", {}, { with: { dimensions: 3 }, files })).rejects.toThrow(
      "do not match",
    );
  });
});
