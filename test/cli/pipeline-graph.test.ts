/** Drawings of pipelines: nothing covers anything else, in a picture and in a terminal. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { bundledApplication, bundledApplications } from "../../agent/cli/pipelines/applications.ts";
import { definitionOf } from "../../agent/cli/pipelines/check.ts";
import { graphOf } from "../../agent/cli/pipelines/graph.ts";
import { placed } from "../../agent/cli/pipelines/layout.ts";
import { routesOf } from "../../agent/cli/pipelines/routes.ts";
import { svgOf } from "../../agent/cli/pipelines/svg.ts";
import { terminalText } from "../../agent/cli/pipelines/terminal.ts";
import type { PipelineDefinition, StageDefinition } from "../../shared/pipeline/definition.ts";
import { DOCUMENT_READING, TICKET } from "../support/drawn-pipelines.ts";

/** Stages that take from any of those before them, named so that some are wide. */
const pipelines = fc
  .array(fc.tuple(fc.array(fc.nat(), { minLength: 1, maxLength: 4 }), fc.nat(30), fc.boolean()), {
    minLength: 1,
    maxLength: 14,
  })
  .map((rows): PipelineDefinition => {
    const stages: Record<string, StageDefinition> = {};
    for (const [i, [froms, letters, isConditional]] of rows.entries()) {
      const sources = froms.map((from) => (from % (i + 1) === i ? "in" : `s${from % (i + 1)}.out`));
      const ports = Object.fromEntries(sources.map((source, n) => [`p${n}`, source]));
      stages[`s${i}`] = {
        operator: `group/${"x".repeat(letters)}@1`,
        in: ports,
        ...(isConditional && i > 0 && { when: { value: `s${i - 1}.score`, below: 0.5 } }),
      };
    }
    return { name: "any", inputs: { in: { type: "json" } }, stages, outputs: { out: `s${rows.length - 1}.out` } };
  });

interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
}

const overlaps = (a: Rect, b: Rect): boolean =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

/** Tags in the order of the text; throws where one is not closed by its own. */
function tagsOf(xml: string): { name: string; attributes: Record<string, string> }[] {
  const open: string[] = [];
  const tags = [...xml.matchAll(/<(\/?)([a-zA-Z]+)((?:\s+[\w:-]+="[^"<&]*(?:&[a-z]+;[^"<&]*)*")*)\s*(\/?)>/g)];
  for (const [, closes, name, , empty] of tags) {
    if (closes && open.pop() !== name) throw new Error(`</${name}> closes another`);
    if (!closes && !empty) open.push(name!);
  }
  if (open.length > 0) throw new Error(`${open.join()} is not closed`);
  const outside = xml.replace(/<style>[\s\S]*?<\/style>/, "").replace(/<[^>]*>/g, "");
  if (/[<>]|&(?!(amp|lt|gt|quot);)/.test(outside)) throw new Error(`a letter is not escaped in ${outside}`);
  return tags.map(([, , name, attributes]) => ({
    name: name!,
    attributes: Object.fromEntries(
      [...attributes!.matchAll(/([\w:-]+)="([^"]*)"/g)].map(([, key, value]) => [key, value]),
    ),
  }));
}

function rectsOf(svg: string, role: string): Rect[] {
  const found = tagsOf(svg).filter(
    ({ name, attributes }) => name === "rect" && attributes.class?.split(" ").includes(role),
  );
  return found.map(({ attributes: { x, y, width, height } }) => ({
    x: Number(x),
    y: Number(y),
    width: Number(width),
    height: Number(height),
  }));
}

describe("a picture", () => {
  test.each([DOCUMENT_READING, TICKET])("of $name has a box a stage, and no two overlap", (definition) => {
    const svg = svgOf(graphOf(definition));
    const boxes = rectsOf(svg, "box");
    expect(boxes).toHaveLength(Object.keys(definition.stages).length + Object.keys(definition.inputs).length + 1);
    for (const [i, box] of boxes.entries())
      for (const other of boxes.slice(i + 1)) expect(overlaps(box, other)).toBe(false);
    expect(svg).not.toMatch(/<script|href=|NaN|undefined/);
  });

  test("of any pipeline has no two boxes over one another, and no label over a box", () => {
    fc.assert(
      fc.property(pipelines, (definition) => {
        const boxes = rectsOf(svgOf(graphOf(definition)), "box");
        const labels = rectsOf(svgOf(graphOf(definition)), "page").filter(({ x }) => !Number.isNaN(x));
        for (const [i, box] of boxes.entries())
          for (const other of [...boxes.slice(i + 1), ...labels]) if (overlaps(box, other)) return false;
        return boxes.length === Object.keys(definition.stages).length + 2;
      }),
      { numRuns: 60, seed: 7 },
    );
  });

  test("is drawn in its colours by what knows no variables of CSS", async () => {
    const picture = sharp(Buffer.from(svgOf(graphOf(TICKET)))).flatten();
    const { dominant } = await picture.stats();
    expect(Math.min(dominant.r, dominant.g, dominant.b)).toBeGreaterThan(200);
  });

  test("sentences of anybody do not get out of their element", () => {
    const svg = svgOf(graphOf({ ...TICKET, says: '</text><script>alert("&")</script>' }));
    expect(tagsOf(svg).map(({ name }) => name)).not.toContain("script");
    expect(svg).toContain("&lt;/text&gt;&lt;script&gt;");
  });
});

test("the pictures beside the applications are those of their pipelines (`npm run graphs` draws them)", async () => {
  const stale: string[] = [];
  for (const name of await bundledApplications()) {
    const { file } = (await bundledApplication(name))!;
    const drawn = svgOf(graphOf(definitionOf(readFileSync(file, "utf8"))));
    const picture = join(file, "..", "graph.svg");
    if (!existsSync(picture) || readFileSync(picture, "utf8") !== drawn) stale.push(name);
  }
  expect(stale).toEqual([]);
});

describe("in a terminal", () => {
  test.each([DOCUMENT_READING, TICKET])(
    "$name of ten stages fits into 100 columns, drawn and not told",
    (definition) => {
      const text = terminalText(graphOf(definition), 100);
      for (const line of text.split("\n").slice(2)) expect([...line].length).toBeLessThanOrEqual(100);
      expect(text).toContain("▼");
      for (const stage of Object.keys(definition.stages)) expect(text).toMatch(new RegExp(`[│║] ${stage} `));
    },
  );

  test("runs over lists, conditions, loops and on-error rules are marked", () => {
    const reading = terminalText(graphOf(DOCUMENT_READING), 100);
    expect(reading).toContain("║ × each of image, by ║");
    expect(reading).toContain("◇ if turned.p > 0.9");
    expect(reading).toContain("! skipped if it fails");
    expect(terminalText(graphOf(TICKET), 140)).toContain("↻ over frames, with state");
    expect(terminalText(graphOf(TICKET), 140)).toContain("@ zone=garage");
  });

  test("what is too wide is told line by line, each stage after what it takes from", () => {
    const text = terminalText(graphOf(TICKET), 40);
    expect(text).toContain("fused  core/first@1  ← expert.label, best.label\n");
    expect(text.indexOf("\nexpert")).toBeLessThan(text.indexOf("\nfused"));
  });

  test("no two arrows of any pipeline share a column between two layers, so that each can be followed", () => {
    fc.assert(
      fc.property(pipelines, (definition) => {
        const graph = graphOf(definition);
        const count = (id: string, end: "from" | "to") => graph.arrows.filter((arrow) => arrow[end] === id).length;
        const boxSize = ({ id, lines }: (typeof graph.boxes)[number]) => ({
          width: Math.max(12, 3 * Math.max(count(id, "from"), count(id, "to")) + 3),
          height: lines.length + 3,
        });
        const { gaps } = routesOf(placed(graph, { boxSize, boxGap: 4, layerGap: 4 }));
        for (const { crossings } of gaps) {
          const ends = crossings.flatMap(({ from, to }) => (from === to ? [from] : [from, to]));
          expect(new Set(ends).size).toBe(ends.length);
          expect(ends.every((column) => Number.isSafeInteger(column))).toBe(true);
        }
      }),
      { numRuns: 100, seed: 7 },
    );
  });
});
