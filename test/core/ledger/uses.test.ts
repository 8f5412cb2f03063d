import fc from "fast-check";
import { expect, test } from "vitest";
import { BlobUses } from "../../../agent/core/ledger/uses.ts";
import { blob } from "../../support/nouns.ts";

test("a blob wants the most copies of all that stand on it, and is let go by the last of them", () => {
  const step = fc.record({ add: fc.boolean(), n: fc.nat(2), copies: fc.integer({ min: 1, max: 4 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const uses = new BlobUses();
      const known = new Map<number, number[]>();
      for (const { add, n, copies } of steps) {
        const all = known.get(n) ?? [];
        if (add) {
          uses.add(blob(n), copies);
          known.set(n, [...all, copies]);
        } else if (all.includes(copies)) {
          all.splice(all.indexOf(copies), 1);
          known.set(n, all);
          expect(uses.remove(blob(n), copies)).toBe(all.length === 0);
        }
        for (const [one, of] of known) expect(uses.copiesOf(blob(one))).toBe(Math.max(0, ...of));
        expect(uses.size).toBe([...known.values()].filter((of) => of.length > 0).length);
      }
    }),
  );
});
