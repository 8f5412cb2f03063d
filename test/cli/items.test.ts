/** From tables, lines, folders and files to the items of a job. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { gatherItems } from "../../agent/cli/items/gather.ts";
import type { PipelineInput } from "../../agent/cli/items/given.ts";
import { SkeinError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { readItem } from "../../shared/pipeline/item.ts";
import type { Value } from "../../shared/pipeline/values.ts";
import { sha256 } from "../support/pretend-face.ts";
import { temporaryFolder } from "../support/temporary.ts";

const TEXT: PipelineInput[] = [{ name: "ticket", type: "text" }];
const TICKET: PipelineInput[] = [
  { name: "text", type: "text" },
  { name: "picture", type: "bytes" },
  { name: "urgent", type: "boolean" },
];

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, content);
  return path;
}

/** Items as the executor reads them: what is sent is what it gets. */
async function given(paths: string[], inputs: PipelineInput[]): Promise<[name: string, ...values: unknown[]][]> {
  const items = await gatherItems(paths, inputs);
  const pipeline = { reference: "tickets:1", says: "", inputs, stages: [], outputs: {} };
  const plain = (value: Value): unknown =>
    value.kind === "json" ? value.json : value.kind === "bytes" ? Buffer.from(value.bytes).toString() : value;
  return Promise.all(
    items.map(async ({ name, blob, bytes, content }) => {
      const item = await content!();
      expect([item.length, sha256(item)]).toEqual([bytes, blob]);
      return [name, ...[...readItem(pipeline, item, name).values()].map(plain)] as [string, ...unknown[]];
    }),
  );
}

async function faults(paths: string[], inputs: PipelineInput[]): Promise<string[]> {
  const error = await gatherItems(paths, inputs).then(
    () => undefined,
    (thrown: unknown) => SkeinError.from(thrown),
  );
  expect(error?.code).toBe("INPUTS_INVALID");
  return (error!.facts.faults as { place: string; reason: string }[]).map(
    ({ place, reason }) => `${place.replace(`${folder}/`, "")}: ${reason}`,
  );
}

describe("a CSV", () => {
  test("gives an item a record; records may span lines, and other columns are left aside", async () => {
    const path = file("t.csv", '\ufefftag,ticket,id\r\na,"one, two\r\nthree ""four""",x7\r\nb,five,\r\n\r\n');
    expect(await given([path], TEXT)).toEqual([
      ["x7", 'one, two\r\nthree "four"'],
      ["2", "five"],
    ]);
  });

  test("of one column is that of the one input, whatever it is called", async () => {
    expect(await given([file("t.csv", "what they wrote\nhello\n")], TEXT)).toEqual([["1", "hello"]]);
    expect(await given([file("u.csv", "id,body\n9,hello\n")], TEXT)).toEqual([["9", "hello"]]);
  });

  test("names files by their paths from where it lies, numbers and booleans as JSON has them", async () => {
    file("pictures/a.png", "PNG");
    const path = file("t.csv", "text,picture,urgent\nbroken,pictures/a.png,true\n");
    expect(await given([path], TICKET)).toEqual([["1", "broken", "PNG", true]]);
  });

  test("rows are numbered so that they sort, and two tables are told apart", async () => {
    const ten = file("ten.csv", `ticket\n${"x\n".repeat(10)}`);
    expect((await given([ten], TEXT)).map(([name]) => name).slice(8)).toEqual(["09", "10"]);
    const two = await given([ten, file("one.csv", "ticket\ny\n")], TEXT);
    expect(two.map(([name]) => name).slice(9)).toEqual(["ten-10", "one-1"]);
  });

  test.each([
    [
      "no column of the input",
      "id,body,date\n1,a,b\n",
      ["t.csv, line 1: has no column ticket, which the pipeline takes; it has id, body, date"],
    ],
    [
      "another separator",
      "id;ticket\n1;a\n",
      ["t.csv, line 1: separates its fields by something else than commas; save it with commas"],
    ],
    ["nothing in it", "", ["t.csv: is empty; the first line must name the columns"]],
    ["a header alone", "ticket\n", ["t.csv: has no rows below its header"]],
    [
      "a quote that does not end",
      'ticket\na\n"b\n',
      ["t.csv, line 3: is no CSV: Quote Not Closed: the parsing is finished with an opening quote at line 3"],
    ],
    ["a column twice", "ticket,ticket\na,b\n", ['t.csv, line 1: has two columns "ticket"']],
    ["bytes that are no text", Uint8Array.of(0x74, 0xe9, 0x0a), ["t.csv: is not text in UTF-8; save it as UTF-8"]],
    [
      "several faults, each in its line",
      'id,ticket\n1,"a\nb"\n2,\n3,c,d\n1,e\n',
      ["t.csv, line 5: has 3 fields and the header has 2; is a quote or comma missing?"],
    ],
    [
      "an empty cell, and a name given twice",
      'id,ticket\n1,"a\nb"\n2,\n1,e\n',
      [
        "t.csv, line 4: ticket is empty",
        't.csv, line 5: is called "1", as FOLDER/t.csv, line 2 is; results are told apart by their names',
      ],
    ],
    [
      "a name that is a path",
      "id,ticket\na/b,c\n",
      ["t.csv, line 2: its name must be a plain file name without folders"],
    ],
  ])("with %s is refused, with the line", async (_what, content, expected) => {
    const found = await faults([file("t.csv", content)], TEXT);
    expect(found).toEqual(expected.map((line) => line.replace("FOLDER", folder)));
  });

  test("values of another type and paths that are not there are named with line and column", async () => {
    const path = file("t.csv", "text,picture,urgent\na,none.png,true\nb,t.csv,perhaps\nc,t.csv,3\nd,.,true\n");
    expect(await faults([path], TICKET)).toEqual([
      "t.csv, line 2: picture names none.png, which does not exist",
      't.csv, line 3: urgent must be a boolean, not "perhaps"',
      "t.csv, line 4: urgent must be boolean, not 3",
      "t.csv, line 5: picture names ., which is no file",
    ]);
  });

  test("of more rows than a job has items is refused before any is looked at", async () => {
    const path = file("t.csv", `ticket\n${"x\n".repeat(LIMITS.jobItemsMax + 1)}`);
    await expect(gatherItems([path], TEXT)).rejects.toMatchObject({ code: "TOO_LARGE" });
  });
});

describe("JSON lines", () => {
  test("an item a line, by the input's name or the value itself", async () => {
    const path = file("t.jsonl", '{"ticket":"a","id":7}\n\n"b"\n');
    expect(await given([path], TEXT)).toEqual([
      ["7", "a"],
      ["2", "b"],
    ]);
  });

  test("a tensor is written as outputs have it", async () => {
    const path = file("t.jsonl", '{"datatype":"FP32","shape":[1,2],"data":[[0.5,1]]}\n');
    const [[, tensor]] = (await given([path], [{ name: "x", type: "FP32[1,-1]" }])) as [[string, unknown]];
    expect(tensor).toMatchObject({ kind: "tensor", shape: [1, 2] });
    expect(
      await faults([file("u.jsonl", '{"datatype":"FP32","shape":[1,3],"data":[1]}\n')], [{ name: "x", type: "FP32" }]),
    ).toEqual(["u.jsonl, line 1: x.data has 1 elements, and its shape has 3"]);
  });

  test("what is wrong is told with its line", async () => {
    const path = file("t.jsonl", '{"text":"a"}\n[1]\n{"text":\n');
    expect(await faults([path], TICKET)).toEqual([
      "t.jsonl, line 1: has no picture; it has text",
      "t.jsonl, line 1: has no urgent; it has text",
      "t.jsonl, line 2: must be an object with text, picture, urgent",
      expect.stringMatching(/^t\.jsonl, line 3: is no JSON: /),
    ]);
    expect(await faults([file("e.jsonl", "\n")], TEXT)).toEqual([
      "e.jsonl: is empty; each line must be an item as JSON",
    ]);
    expect(await faults([file("n.jsonl", "5\n")], TEXT)).toEqual(["n.jsonl, line 1: ticket must be text, not 5"]);
  });
});

describe("folders and files", () => {
  const names = async (paths: string[], inputs: PipelineInput[]) =>
    (await gatherItems(paths, inputs)).map(({ name }) => name);

  test("a folder gives the files that the input can be, and a file that is named is taken whatever it is called", async () => {
    for (const name of ["b 10.txt", "b 2.txt", "notes.md", ".hidden.txt", "a.json", "p.png"]) file(`in/${name}`, "x");
    expect(await names([join(folder, "in")], TEXT)).toEqual(["b 2.txt", "b 10.txt"]);
    expect(await names([join(folder, "in", "notes.md")], TEXT)).toEqual(["notes.md"]);
    expect(await names([join(folder, "in")], [{ name: "x", type: "json" }])).toEqual(["a.json"]);
    expect(await names([join(folder, "in")], [{ name: "x", type: "bytes" }])).toEqual(["a.json", "p.png"]);
  });

  test("a pipeline of several inputs takes a JSON file an item, and no other", async () => {
    file("p.png", "PNG");
    const item = JSON.stringify({ text: "a", picture: "p.png", urgent: false });
    expect(await given([file("t.json", item)], TICKET)).toEqual([["t", "a", "PNG", false]]);
    expect(await faults([join(folder, "p.png")], TICKET)).toEqual([
      "p.png: is no .csv, .jsonl or .json, and the pipeline takes text and picture and urgent",
    ]);
  });

  test("a folder of tables alone gives those, one with such files those alone", async () => {
    file("in/t.csv", "ticket\nhello\nagain\n");
    file("in/SOURCE.md", "where it is from");
    expect(await given([join(folder, "in")], TEXT)).toEqual([
      ["1", "hello"],
      ["2", "again"],
    ]);
    file("in/a.txt", "a text");
    const items = await gatherItems([join(folder, "in")], TEXT);
    expect(items.map(({ name }) => name)).toEqual(["a.txt"]);
  });

  test("a folder without such files, and a path that is not there", async () => {
    mkdirSync(join(folder, "in"));
    await expect(gatherItems([join(folder, "in")], TEXT)).rejects.toMatchObject({ code: "NO_INPUTS" });
    await expect(gatherItems([join(folder, "out")], TEXT)).rejects.toMatchObject({ code: "FOLDER_MISSING" });
  });
});
