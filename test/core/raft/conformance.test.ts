import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { parseDirectives } from "../../conformance/datadriven.ts";
import { runSuite } from "../../conformance/suite.ts";

const OWN = join(import.meta.dirname, "../../conformance/scenarios");
const BESIDE_THE_PROJECT = join(import.meta.dirname, "../../../../shared/conformance/etcd-raft");

describe("the scenarios written here", () => {
  const { files, quorum, confchange, a } = runSuite(OWN);
  test.each(files)("$file comes out as written, word for word", ({ differences, notRun, otherText }) => {
    expect({ notRun, otherText }).toEqual({});
    expect(differences).toEqual([]);
  });
  test("none of the three kinds is empty", () => {
    for (const { total } of [quorum, confchange, a]) expect(total).toBeGreaterThan(0);
  });
});

describe.skipIf(!existsSync(BESIDE_THE_PROJECT))("the data of etcd-io/raft, where it is at hand", () => {
  const { files, quorum, confchange } = existsSync(BESIDE_THE_PROJECT) ? runSuite(BESIDE_THE_PROJECT) : runSuite(OWN);
  test.each(files)("$file comes out as written, or differs for a reason", ({ differences, onPurpose, otherText }) => {
    if (onPurpose === undefined) expect(differences).toEqual([]);
    else expect(differences).not.toEqual([]);
    if (otherText) expect(otherText.differences).not.toEqual([]);
  });
  test("quorums and changes are all equal", () => {
    expect([quorum, confchange]).toEqual([
      { total: 127, equal: 127 },
      { total: 58, equal: 58 },
    ]);
  });
});

test("a folder that asks for what is not there is run as far as it goes, and the rest is named", () => {
  const folder = mkdtempSync(join(tmpdir(), "scenarios-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const write = (name: string, text: string): void => {
    mkdirSync(join(folder, dirname(name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  };
  write("quorum/odd.txt", "guess cfg=(1)\n----\n0\n");
  write("confchange/odd.txt", "rename\nv1\n----\nvoters=(1)\n");
  write("interaction/command.txt", "dance 1\n----\nok\n");
  write("interaction/option.txt", "add-nodes 1 voters=(1) index=2 colour=red\n----\nok\n");
  write("interaction/message.txt", "deliver-msgs 1 type=MsgBeat\n----\nno messages\n");
  write("interaction/nobody.txt", "campaign 7\n----\nok\n");
  write("interaction/noise.txt", "add-nodes 1\n");
  write("interaction/sound.txt", "add-nodes 1 voters=(1) index=2\n----\nok\n");
  const { files, c } = runSuite(folder);
  expect(files.filter(({ notRun }) => notRun).map(({ file, notRun }) => [file, notRun])).toEqual([
    ["quorum/odd.txt", "the command guess"],
    ["confchange/odd.txt", "the command rename"],
    ["interaction/command.txt", "the command dance"],
    ["interaction/message.txt", "messages of type MsgBeat"],
    ["interaction/option.txt", "the option colour"],
  ]);
  const threw = files.filter(({ differences }) => differences.length > 0).map(({ file }) => file);
  expect(threw).toEqual(["interaction/nobody.txt", "interaction/noise.txt"]);
  expect(c).toEqual({ total: 1, equal: 1 });
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
