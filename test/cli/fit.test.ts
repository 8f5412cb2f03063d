import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readRow } from "../../shared/fitting/dataset.ts";
import { fitPart, fitRows } from "../../shared/fitting/part.ts";
import type { FitRoundAnswer, FitRoundRequest } from "../../shared/fitting/wire.ts";
import { labelledLines } from "../support/labelled-rows.ts";
import { type PretendApi, startPretendApi } from "../support/pretend-api.ts";
import { NODE_IDS } from "../support/pretend-face.ts";
import { skein } from "../support/pretend-world.ts";
import { temporaryFolder } from "../support/temporary.ts";

const LABELS = ["east", "north", "south", "west"];
const LINES = labelledLines(300, 8, 0.8);

let pretend: PretendApi;
beforeEach(async () => {
  pretend = await startPretendApi();
});
afterEach(() => pretend.api.stop());
const api = (): string[] => ["--api", pretend.api.url];

/** Boxes with rows, behind the face; `isThere` says which of them answer a round. */
function boxes(rows: Record<string, string[]>, isThere: (node: string, calls: number) => boolean = () => true): void {
  const nodes = Object.entries(rows).map(([node, lines]) => ({ node, rows: lines.map((line) => readRow(line, 1)) }));
  pretend.face.places = {
    dataset: "corners",
    nodes: nodes.map(({ node, rows: own }) => ({
      ...{ name: "corners", nodeId: NODE_IDS[0]!, node, rows: own.length, dimensions: 3, labels: LABELS },
    })),
    silent: [],
  };
  let calls = 0;
  pretend.face.onFitRound = (request: FitRoundRequest): FitRoundAnswer => {
    calls++;
    const there = nodes.filter(({ node }) => isThere(node, calls));
    const gone = nodes.filter((one) => !there.includes(one));
    return {
      parts: there.map(({ node, rows: own }) => ({ node, ...fitPart(request, fitRows(own, LABELS, 3)) })),
      missing: gone.map(({ node }) => ({ node, reason: "it is unplugged" })),
    };
  };
}

const THREE = { attic: LINES.slice(0, 60), barn: LINES.slice(60, 200), cellar: LINES.slice(200) };

test("a head is searched for, fitted over three boxes, and registered; on one box with all rows it comes to the same", async () => {
  boxes(THREE);
  const three = await skein(["fit", "corner", "corners", "--rounds", "27", "--json", ...api()]);
  expect(three.code).toBe(0);
  boxes({ alone: LINES });
  const one = await skein(["fit", "corner", "corners", "--rounds", "27", "--json", ...api()]);
  const [a, b] = [JSON.parse(three.out), JSON.parse(one.out)];
  expect(a.rungs.map(({ candidates }: { candidates: unknown[] }) => candidates.length)).toEqual([9, 3, 1]);
  expect(a.terms).toEqual(b.terms);
  expect(a.heldOut.right).toBe(b.heldOut.right);
  expect(a.heldOut.loss).toBeCloseTo(b.heldOut.loss, 8);
  expect(a.heldOut.right / a.heldOut.rows).toBeGreaterThan(0.75);
  expect(a.rows).toEqual({ attic: 60, barn: 140, cellar: 100 });
  expect(pretend.face.calls.filter((call) => call.startsWith("addModel"))[0]).toContain("corner");
});

test("rounds go on without a box that leaves in the middle, and with it when it is back; the end says so", async () => {
  boxes(THREE, (node, calls) => node !== "barn" || calls < 20 || calls > 40);
  const { code, out, err } = await skein(["fit", "corner", "corners", "--rounds", "27", ...api()]);
  expect(code).toBe(0);
  expect(err).toContain("9 candidates; best: learning rate");
  expect(out).toMatch(/21 rounds went on without barn: it is unplugged/);
  expect(out).toMatch(/corner:\d+ is registered: \d+\.\d % of \d+ rows held out are right/);
});

test.each([
  [["--optimiser", "newton"], "must be adam or sgd"],
  [["--local-epochs", "3"], "are of sgd"],
  [["--learning-rate", "1000"], "must be from 0 to 100"],
  [["--rounds", "0"], "--rounds"],
])("%j is refused before anything is asked", async (args, reason) => {
  const { code, err } = await skein(["fit", "corner", "corners", ...args, ...api()]);
  expect(code).toBe(2);
  expect(err).toContain(reason);
  expect(pretend.face.calls).toEqual([]);
});

test("without rows anywhere, or with vectors of two lengths, it says so", async () => {
  pretend.face.places = { dataset: "corners", nodes: [], silent: [] };
  expect((await skein(["fit", "corner", "corners", ...api()])).err).toContain(
    "No box that is there has rows of corners",
  );
  boxes(THREE);
  pretend.face.places.nodes[1]!.dimensions = 4;
  expect((await skein(["fit", "corner", "corners", ...api()])).err).toContain("3 numbers on attic and of 4 on barn");
});

test("a data set goes to the box that is asked, is listed and deleted there", async () => {
  const file = join(await temporaryFolder(), "corners.jsonl");
  await writeFile(file, LINES.join("\n"));
  const added = await skein(["dataset", "add", "corners", file, ...api()]);
  expect(added.out).toContain("corners: 300 rows of 3 numbers, 4 labels. They stay on the box of");
  expect((await skein(["dataset", "list", ...api()])).out).toMatch(/corners +300 +3 +east, north, south, west/);
  expect((await skein(["dataset", "remove", "corners", ...api()])).out).toContain("corners is deleted from this box");
  expect((await skein(["dataset", "remove", "corners", ...api()])).err).toContain("has no data set corners");
  expect((await skein(["dataset", "add", "corners", `${file}.none`, ...api()])).err).toContain("cannot be read");
});
