/** What a peer says of itself is checked before it is believed: one field wrong, and the report is refused by its name. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { checkCapacityReport } from "../../../shared/capacity.ts";
import { SkeinError } from "../../../shared/errors.ts";
import { capacityReport, nodeIdOf } from "./reports.ts";

const good = capacityReport(nodeIdOf("a"));

/** A copy of the good report with the field at `path` set, or left out for `undefined`. */
function withField(path: string, value: unknown): unknown {
  const copy = structuredClone(good) as unknown as Record<string, unknown>;
  const keys = path.split(".");
  const holder = keys.slice(0, -1).reduce((at, key) => at[key] as Record<string, unknown>, copy);
  if (value === undefined) delete holder[keys.at(-1)!];
  else holder[keys.at(-1)!] = value;
  return copy;
}
const reasonFor = (report: unknown): string => {
  try {
    checkCapacityReport(report);
  } catch (error) {
    expect(error).toBeInstanceOf(SkeinError);
    expect((error as SkeinError).code).toBe("BAD_REQUEST");
    return String((error as SkeinError).facts.reason);
  }
  return "believed";
};

test("a good report is believed, and fields of a newer agent are left out", () => {
  expect(checkCapacityReport(good)).toEqual(good);
  expect(checkCapacityReport({ ...good, mood: "sunny", vitals: { ...good.vitals, humidity: 3 } })).toEqual(good);
});

test("a box without a temperature sensor is believed", () => {
  const { temperatureC: _, ...vitals } = good.vitals;
  expect(checkCapacityReport({ ...good, vitals })).toEqual({ ...good, vitals });
});

test.each<[string, string, unknown]>([
  ["nodeId must be a peer id", "nodeId", "12D3KooW"],
  ["name must have 1 to 255 bytes, not 0", "name", ""],
  ["name must have 1 to 255 bytes, not 256", "name", "ä".repeat(128)],
  ['name must be one line without control characters, not "pi\\u001b[2J"', "name", "pi\u001b[2J"],
  ["agentVersion must be text, not 1", "agentVersion", 1],
  ["startedAtMs must be a whole number from 0 to 9007199254740991, not -1", "startedAtMs", -1],
  ["sequence must be a whole number from 0 to 9007199254740991, not 1.5", "sequence", 1.5],
  ["sequence must be a whole number from 0 to 9007199254740991, not 9007199254740992", "sequence", 2 ** 53],
  ["hardware must be an object, not a list", "hardware", []],
  ['hardware.arch must be one of x64, arm64, arm, not "riscv64"', "hardware.arch", "riscv64"],
  ["hardware.cores must be a whole number from 1 to 4096, not 0", "hardware.cores", 0],
  ["hardware.memoryUsableBytes must be a whole number from 0 to 8000000000", "hardware.memoryUsableBytes", 9e9],
  ["vitals.cpuLoad must be a number from 0 to 1, not 1.01", "vitals.cpuLoad", 1.01],
  ["vitals.cpuLoad must be a number from 0 to 1", "vitals.cpuLoad", Number.NaN],
  ["vitals.diskFreeBytes must be a whole number", "vitals.diskFreeBytes", Number.POSITIVE_INFINITY],
  ["vitals.temperatureC must be a number from -60 to 200, not 51500", "vitals.temperatureC", 51_500],
  ['vitals.throttled must be true or false, not "no"', "vitals.throttled", "no"],
  ["executors must be a whole number from 0 to 4096, not 1000000000", "executors", 1e9],
  ["rates must be a list, not an object", "rates", {}],
  ["rates must have at most 256 entries, not 300", "rates", Array(300).fill(good.rates[0])],
  ["rates must name each pipeline once", "rates", [good.rates[0], good.rates[0]]],
  ["rates[0].itemsPerSecond must be a number", "rates", [{ pipeline: "ocr", itemsPerSecond: -1, source: "work" }]],
  ["rates[0].source must be one of", "rates", [{ pipeline: "ocr", itemsPerSecond: 1, source: "hope" }]],
  ["itemsQueued must be a whole number", "itemsQueued", -1],
  ["apiUrl must have 0 to 255 bytes, not 256", "apiUrl", "x".repeat(256)],
])("a report is refused: %s", (reason, path, value) => {
  expect(reasonFor(withField(path, value))).toContain(reason);
});

test("no field may be missing", () => {
  const paths = ["nodeId", "name", "startedAtMs", "sequence", "executors", "rates", "itemsQueued", "apiUrl"];
  for (const path of [...paths, "agentVersion", "hardware", "vitals", "hardware.model", "vitals.cpuLoad"])
    expect(reasonFor(withField(path, undefined))).toContain(path);
});

test("whatever comes is believed or refused, and nothing else happens", () => {
  const anything = fc.anything({ withNullPrototype: true, withBigInt: true, withSparseArray: true });
  const paths = fc.constantFrom("name", "hardware", "vitals", "rates", "vitals.cpuLoad", "hardware.cores", "sequence");
  fc.assert(
    fc.property(anything, paths, (value, path) => {
      expect(reasonFor(value)).not.toBe("believed");
      expect(reasonFor(withField(path, value))).toMatch(/must|believed/);
    }),
  );
});
