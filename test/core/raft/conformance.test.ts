import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseDirectives } from "../../conformance/datadriven.ts";
import { runSuite } from "../../conformance/suite.ts";

const OWN = join(import.meta.dirname, "../../conformance/scenarios");
const BESIDE_THE_PROJECT = join(import.meta.dirname, "../../../../shared/conformance/etcd-raft");

describe("the scenarios written here", () => {
  const { files, quorum, confchange, a } = runSuite(OWN);
  test.each(files)("$file comes out as written", ({ differences, leftOut }) => {
    expect(leftOut).toBeUndefined();
    expect(differences).toEqual([]);
  });
  test("none of the three kinds is empty", () => {
    for (const { total } of [quorum, confchange, a]) expect(total).toBeGreaterThan(0);
  });
});

describe.skipIf(!existsSync(BESIDE_THE_PROJECT))("the data of etcd-io/raft, where it is at hand", () => {
  const { files, quorum, confchange } = existsSync(BESIDE_THE_PROJECT) ? runSuite(BESIDE_THE_PROJECT) : runSuite(OWN);
  test.each(files)("$file comes out as written, or differs for a reason", ({ differences, onPurpose }) => {
    if (onPurpose === undefined) expect(differences).toEqual([]);
    else expect(differences).not.toEqual([]);
  });
  test("quorums and changes are all equal", () => {
    expect([quorum, confchange]).toEqual([
      { total: 127, equal: 127 },
      { total: 58, equal: 58 },
    ]);
  });
});

describe("the reader of scenario files", () => {
  test("it reads arguments, continued lines, nested lists, input and both forms of expected output", () => {
    const text = [
      "# a comment",
      "",
      "first 1 word key=value empty= list=(a, b,(c, d)) \\",
      "  more=()",
      "input one",
      "",
      "input two",
      "----",
      "out",
      "",
      'second 1 "quoted"',
      "----",
      "----",
      "with",
      "",
      "blank lines",
      "----",
      "----",
      "",
      "third",
      "----",
    ].join("\n");
    expect(parseDirectives(text)).toEqual([
      {
        line: 3,
        command: "first",
        args: [
          { key: "1", values: [] },
          { key: "word", values: [] },
          { key: "key", values: ["value"] },
          { key: "empty", values: [""] },
          { key: "list", values: ["a", "b", "(c, d)"] },
          { key: "more", values: [] },
        ],
        input: "input one\n\ninput two",
        expected: "out",
      },
      {
        line: 11,
        command: "second",
        args: [
          { key: "1", values: [] },
          { key: '"quoted"', values: [] },
        ],
        input: "",
        expected: "with\n\nblank lines",
      },
      { line: 20, command: "third", args: [], input: "", expected: "" },
    ]);
  });

  test("it says where a file is not one", () => {
    expect(() => parseDirectives("\nvote cfg=(1\n----\n")).toThrow("line 2");
    expect(() => parseDirectives("vote\nout\n")).toThrow("line 1");
  });
});
