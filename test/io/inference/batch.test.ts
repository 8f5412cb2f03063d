import fc from "fast-check";
import { expect, test } from "vitest";
import { groupsOf, rowsOf, stacked, takenApart } from "../../../agent/io/inference/model/batch.ts";
import { Queue, type Taker } from "../../../agent/io/inference/queue.ts";
import type { InferenceTask } from "../../../agent/ports/index.ts";
import { elementsOf, type Tensor } from "../../../shared/tensors.ts";

const tensor = (rows: number, columns = 2, from = 0): Tensor => ({
  name: "x",
  datatype: "FP32",
  shape: [rows, columns],
  data: Float32Array.from({ length: rows * columns }, (_, n) => from + n),
});

test("what is stacked comes apart as it was, numbers and text alike", () => {
  const items = fc.array(
    fc.integer({ min: 1, max: 5 }).chain((rows) =>
      fc.record({
        numbers: fc.array(fc.float({ noNaN: true }), { minLength: 3 * rows, maxLength: 3 * rows }),
        words: fc.array(fc.string(), { minLength: rows, maxLength: rows }),
        rows: fc.constant(rows),
      }),
    ),
    { minLength: 1, maxLength: 6 },
  );
  fc.assert(
    fc.property(items, (given) => {
      const inputs = given.map(({ numbers, words, rows }): Tensor[] => [
        { name: "x", datatype: "FP32", shape: [rows, 3], data: Float32Array.from(numbers) },
        { name: "t", datatype: "BYTES", shape: [rows], data: words },
      ]);
      const whole = stacked(inputs);
      for (const { shape, data } of whole) expect(data.length).toBe(elementsOf(shape));
      expect(
        takenApart(
          whole,
          inputs.map((one) => rowsOf(one)!),
        ),
      ).toEqual(inputs);
    }),
  );
});

test("only items that agree in all other dimensions go together, in their order and up to the rows that are allowed", () => {
  const item = (...inputs: Tensor[]) => ({ inputs });
  const items = [
    item(tensor(1)),
    item(tensor(1, 3)),
    item(tensor(2)),
    item(tensor(2)),
    item(tensor(9)),
    item(tensor(1)),
  ];
  const groups = groupsOf(items, 4).map((group) => group.map((one) => items.indexOf(one)));
  expect(groups).toEqual([[0, 2], [1], [3], [4], [5]]);
  const uneven = item(tensor(1), { ...tensor(2), name: "z" });
  expect(groupsOf([uneven, uneven], 4)).toHaveLength(2);
});

test("an output with other rows than went in is no batch's", () => {
  expect(takenApart([tensor(3)], [1, 1])).toBeUndefined();
});

const task = (pipeline: string, name: string, bytes = 10, deadlineMs = 1_000): InferenceTask => ({
  pipeline,
  name,
  input: new Uint8Array(bytes),
  deadlineMs,
});
const queueOf = (...tasks: InferenceTask[]): Queue => {
  const queue = new Queue();
  for (const one of tasks) queue.add({ task: one, resolve: () => {}, reject: () => {} });
  return queue;
};
const taker = (more: Partial<Taker> = {}): Taker => ({
  runs: () => true,
  batchOf: (pipeline) => (pipeline === "tiny:1" ? 4 : 1),
  takers: () => 1,
  ...more,
});
const names = (group: { task: InferenceTask }[]): string[] => group.map((one) => one.task.name);

test("a batch takes what waits of its model, wherever it stands, and leaves the others their order", () => {
  const queue = queueOf(...["a", "b"].map((name) => task("tiny:1", name)), task("ocr", "p"), task("tiny:1", "c"));
  expect(names(queue.takeGroup(taker()))).toEqual(["a", "b", "c"]);
  expect(names(queue.takeGroup(taker()))).toEqual(["p"]);
  expect(queue.length).toBe(0);
});

test("a batch is at most as large as its model's, as this executor's share, and as time and message allow", () => {
  const six = () => queueOf(...["a", "b", "c", "d", "e", "f"].map((name) => task("tiny:1", name)));
  expect(names(six().takeGroup(taker()))).toHaveLength(4);
  expect(names(six().takeGroup(taker({ takers: () => 2 })))).toHaveLength(3);
  const slow = six();
  slow.learn("tiny:1", 100);
  expect(names(slow.takeGroup(taker()))).toHaveLength(2);
  const large = queueOf(...["a", "b", "c"].map((name) => task("tiny:1", name, 2_000_000)));
  expect(names(large.takeGroup(taker()))).toEqual(["a", "b"]);
});

test("an executor takes only what it has loaded; what it has not keeps its place", () => {
  const queue = queueOf(task("tiny:1", "a"), task("ocr", "p"), task("tiny:1", "b"));
  const without = taker({ runs: (pipeline) => pipeline === "ocr" });
  expect(names(queue.takeGroup(without))).toEqual(["p"]);
  expect(names(queue.takeGroup(without))).toEqual([]);
  expect(names(queue.takeGroup(taker()))).toEqual(["a", "b"]);
});

test("what ended an executor with others comes back alone and first", () => {
  const queue = queueOf(task("tiny:1", "a"), task("tiny:1", "b"), task("tiny:1", "c"));
  const group = queue.takeGroup(taker());
  queue.add({ task: task("tiny:1", "d"), resolve: () => {}, reject: () => {} });
  queue.putBack(group);
  expect([1, 2, 3, 4].map(() => names(queue.takeGroup(taker())))).toEqual([["a"], ["b"], ["c"], ["d"]]);
});
