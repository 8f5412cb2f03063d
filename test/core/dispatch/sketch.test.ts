import fc from "fast-check";
import { expect, test } from "vitest";
import { DurationSketch, ItemSet } from "../../../agent/core/dispatch/index.ts";

test("a quantile is within a twentieth of the one in the sorted list", () => {
  const durations = fc.array(fc.double({ min: 0.1, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 300 });
  fc.assert(
    fc.property(durations, fc.constantFrom(0, 0.5, 0.95, 0.99, 1), (values, part) => {
      const sketch = new DurationSketch();
      for (const value of values) sketch.add(value);
      const exact = [...values].sort((a, b) => a - b)[Math.floor(part * (values.length - 1))]!;
      expect(sketch.quantileMs(part) / exact).toBeGreaterThan(0.95);
      expect(sketch.quantileMs(part) / exact).toBeLessThan(1.05);
    }),
  );
});

test("what a box did long ago fades", () => {
  const sketch = new DurationSketch();
  for (let i = 0; i < 1_000; i++) sketch.add(10_000);
  for (let i = 0; i < 1_500; i++) sketch.add(100);
  expect(sketch.quantileMs(0.5)).toBeLessThan(110);
  expect(sketch.meanMs).toBeLessThan(3_000);
});

test("items come out of a set lowest first, whatever was put in and taken out before", () => {
  const actions = fc.array(fc.record({ item: fc.nat(199), act: fc.constantFrom("add", "delete", "take") }));
  fc.assert(
    fc.property(actions, (steps) => {
      const [set, model] = [new ItemSet(200), new Set<number>()];
      for (const { item, act } of steps) {
        if (act === "add") set.add(item);
        if (act === "add") model.add(item);
        if (act === "delete") expect(set.delete(item)).toBe(model.delete(item));
        if (act === "take") {
          const lowest = [...model].sort((a, b) => a - b).slice(0, item % 5);
          expect(set.takeFront(item % 5)).toEqual(lowest);
          for (const one of lowest) model.delete(one);
        }
        expect(set.size).toBe(model.size);
        expect(set.has(item)).toBe(model.has(item));
      }
    }),
  );
});
