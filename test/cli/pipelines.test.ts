/** `skein pipeline` in front of a pretend fleet, with the real reader and check. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bundledApplications } from "../../agent/cli/pipelines/applications.ts";
import { CUSTOMER_SERVICE, SOME_MODELS } from "../support/pipeline-parts.ts";
import { type PretendApi, startPretendApi } from "../support/pretend-api.ts";
import { pretendWorld, skein } from "../support/pretend-world.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { tinyOnnx } from "../support/tiny-onnx.ts";

let pretend: PretendApi;
let folder: string;
beforeEach(async () => {
  pretend = await startPretendApi();
  folder = temporaryFolder();
});
afterEach(() => pretend.api.stop());

const pipeline = (...words: string[]) => skein(["pipeline", ...words, "--api", pretend.api.url]);
/** Where nobody listens. */
const alone = (...words: string[]) => skein(["pipeline", ...words, "--api", "http://127.0.0.1:1"]);

function file(text: string, name = "pipeline.yaml"): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const FAULTY = CUSTOMER_SERVICE.replace("words.ids } }", "word.ids } }")
  .replace("k: 1", "k: 1000")
  .replace("below: 0.8", "beneath: 0.8");

describe("add", () => {
  test("takes a file in, and says how it is run; the same again is no fault", async () => {
    const path = file(CUSTOMER_SERVICE);
    const { code, out } = await pipeline("add", path);
    expect([code, out]).toEqual([0, "customer-service:1 is added. `skein run customer-service:1 FILES...` runs it.\n"]);
    expect((await pipeline("add", path)).out).toContain("customer-service:1 is there already, the same.");
    expect(JSON.parse((await pipeline("add", path, "--json")).out)).toEqual({
      pipeline: "customer-service:1",
      existing: true,
      models: [],
    });
  });

  test("an application is a folder: its models go first, and those that the fleet has are not sent again", async () => {
    for (const name of ["intent", "intent-large"]) {
      mkdirSync(join(folder, "models", name), { recursive: true });
      writeFileSync(join(folder, "models", name, "model.onnx"), tinyOnnx({ scale: name.length }));
      writeFileSync(join(folder, "models", name, "vocabulary.txt"), name);
    }
    file(CUSTOMER_SERVICE);
    const first = await pipeline("add", folder);
    expect(first).toMatchObject({ code: 0, out: expect.stringContaining("customer-service:1 is added.") });
    expect(first.err).toContain("intent-large:1 is added (model 2 of 2)");
    expect([...pretend.face.catalogue.details.keys()]).toEqual(["intent:1", "intent-large:1"]);
    const order = pretend.face.calls.filter((call) => /^(addModel|addPipeline)/.test(call));
    expect(order.at(-1)).toMatch(/^addPipeline/);
    pretend.face.calls.length = 0;
    const again = await pipeline("add", folder);
    expect(again.err).toContain("intent:1 is there already, with the same files (model 1 of 2)");
    expect(pretend.face.calls.filter((call) => /^(put|addModel)/.test(call))).toEqual([]);
  });

  test("an application that others are stages of brings those first, unless the fleet has them", async () => {
    // What pipelines take and give is the applications' own matter; here all of them are of one kind.
    const { pipelinesKnown } = pretend.face;
    const added: string[] = [];
    pipelinesKnown.add = (source) => {
      const [, name] = ("text" in source ? source.text : "").match(/^name: (.*)$/m)!;
      added.push(name!);
      return { pipeline: `${name}:1`, existing: false };
    };
    const { code, err } = await pipeline("add", "ticket");
    expect(code).toBe(0);
    expect([...added].sort()).toEqual(["audio", "customer-service", "document-reading", "ticket"]);
    expect(added.at(-1)).toBe("ticket");
    expect(err).toContain("customer-service:1 is added: it is part of ticket");
  });

  test("a model of that name with other files is the fleet's own: nothing is put in its place", async () => {
    mkdirSync(join(folder, "models", "intent"), { recursive: true });
    writeFileSync(join(folder, "models", "intent", "model.onnx"), tinyOnnx({ scale: 3 }));
    pretend.face.catalogue.keep(SOME_MODELS[0]!);
    file(CUSTOMER_SERVICE);
    const { code, err } = await pipeline("add", folder);
    expect([code, err]).toEqual([2, expect.stringContaining("intent:1 is another model already")]);
    expect(pretend.face.pipelinesKnown.details.size).toBe(0);
  });

  test("what is no pipeline is told with its lines, before any model is sent", async () => {
    mkdirSync(join(folder, "models", "intent"), { recursive: true });
    writeFileSync(join(folder, "models", "intent", "model.onnx"), tinyOnnx());
    file(FAULTY);
    const { code, err } = await pipeline("add", folder);
    expect([code, err]).toEqual([2, expect.stringContaining("stages.expert.when")]);
    expect(pretend.face.calls).toEqual([]);
  });

  test("a path that leads nowhere is told with the applications there are", async () => {
    const { code, err } = await pipeline("add", join(folder, "none.yaml"));
    expect([code, err]).toEqual([2, expect.stringContaining("is neither a file nor a folder with pipeline.yaml")]);
    for (const name of await bundledApplications()) expect(err).toContain(name);
  });
});

describe("check", () => {
  test("tells every fault under its line, and where in the line", async () => {
    const { code, err } = await pipeline("check", file(FAULTY.replace("beneath: 0.8", "below: 0.8")));
    expect(code).toBe(2);
    const lines = err.split("\n");
    expect(lines[0]).toMatch(/pipeline\.yaml: \d faults$/);
    const at = lines.findIndex((line) => line.includes("word.ids"));
    expect(lines[at - 1]).toMatch(/^ {2}line 9, stages\.intent\.in\.ids: .*did you mean words\?$/);
    expect(lines[at]).toMatch(/^ {5}9 \| {3}intent: /);
    expect(lines[at + 1]).toMatch(/^ {7}\| +\^$/);
    expect(err).toContain("k: 1000");
    expect(err).toMatch(/line 10, stages\.best\.with\.k: /);
  });

  test("tells faults of the syntax, and as JSON the error itself", async () => {
    const path = file("name: a\nstages: [\n");
    expect((await pipeline("check", path)).err).toMatch(/line \d+/);
    const { code, out } = await pipeline("check", path, "--json");
    expect([code, JSON.parse(out)]).toEqual([2, expect.objectContaining({ code: "PIPELINE_INVALID" })]);
  });

  test("with an agent the models are known: sound, with the version that it would get", async () => {
    const { code, out } = await pipeline("check", file(CUSTOMER_SERVICE));
    expect(code).toBe(0);
    expect(out).toContain("customer-service, 6 stages, is sound; it would be customer-service:1.");
    expect(out).toMatch(/^expert +intent-large:1 +words\.ids +if best\.score < 0\.8$/m);
    expect(out).not.toContain("Not checked");
  });

  test("without an agent what could be checked is, and the rest is named", async () => {
    const { code, out } = await alone("check", bundled());
    expect(code).toBe(0);
    expect(out).toContain("is sound as far as it was checked.");
    expect(out).toContain("Not checked, because no agent answers: what these take and give");
    expect(out).toMatch(/: intent:1, intent-large:1\n$/);
    const faulty = readFileSync(join("agent/applications", bundled(), "pipeline.yaml"), "utf8").replace("k: 3", "j: 3");
    const refused = await alone("check", file(faulty));
    expect(refused.code).toBe(2);
    expect(refused.err).toMatch(/: 1 fault\n {2}line \d+, stages\.guess\.with\.j: .*\n.*j: 3/);
  });

  test("of an application the models that come with it are no faults", async () => {
    for (const name of ["intent", "intent-large"]) mkdirSync(join(folder, "models", name), { recursive: true });
    file(CUSTOMER_SERVICE);
    pretend.face.pipelinesKnown.known = { ...pretend.face.pipelinesKnown.known, model: () => undefined };
    const { code, out } = await pipeline("check", folder);
    expect([code, out]).toEqual([0, expect.stringContaining("because the fleet gets them with it")]);
    const { code: other, err } = await pipeline("check", file(CUSTOMER_SERVICE, "alone.yaml"));
    expect([other, err]).toEqual([2, expect.stringContaining("names intent:1, which the fleet does not have")]);
  });
});

const bundled = (): string => "customer-service";

describe("list, show, graph and remove", () => {
  test("list tells the fleet's and the bundled; show its stages", async () => {
    expect((await pipeline("list")).out).toMatch(/^This fleet has no pipelines yet\./);
    await pipeline("add", file(CUSTOMER_SERVICE));
    const { out } = await pipeline("list");
    expect(out).toMatch(/^customer-service:1 +ticket text +intent \w+ +6 +What a customer wants/m);
    expect(out).toContain("customer-service");
    expect((await pipeline("show", "customer-service")).out).toMatch(/^words +text\/ngrams@1 +ticket$/m);
    expect((await pipeline("show", "nothing")).code).toBe(2);
    expect(JSON.parse((await pipeline("show", "customer-service:1", "--json")).out).definition.name).toBe(
      "customer-service",
    );
  });

  test("graph draws the fleet's by name, a file, and an application without any fleet", async () => {
    await pipeline("add", file(CUSTOMER_SERVICE));
    expect((await pipeline("graph", "customer-service:1")).out).toContain("│ intent-large:1 ");
    const { out } = await alone("graph", file(CUSTOMER_SERVICE));
    expect(out).toContain("◇ if best.score < 0.8");
    expect((await alone("graph", bundled())).out).toMatch(/^customer-service: /);
    expect(JSON.parse((await alone("graph", bundled(), "--json")).out).boxes.length).toBeGreaterThan(5);
    expect((await alone("graph", "nothing")).code).toBe(4);
    expect((await pipeline("graph", "nothing")).code).toBe(2);
  });

  test("graph --svg writes a picture", async () => {
    const path = join(folder, "graph.svg");
    const { code, out } = await alone("graph", file(CUSTOMER_SERVICE), "--svg", path);
    expect([code, out]).toEqual([0, `customer-service:1 is drawn: ${path}\n`]);
    expect(readFileSync(path, "utf8")).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
  });

  test("remove takes a version away, and with --force its jobs", async () => {
    await pipeline("add", file(CUSTOMER_SERVICE));
    expect((await pipeline("remove", "customer-service:1", "--force")).out).toBe(
      "customer-service:1 is removed; its models stay.\n",
    );
    expect(pretend.face.calls).toContain("removePipeline customer-service:1 true");
    expect((await pipeline("remove", "customer-service:1")).code).toBe(2);
  });
});

test("a terminal that is narrow gets a drawing that fits", async () => {
  copyFileSync(file(CUSTOMER_SERVICE), join(folder, "copy.yaml"));
  const world = pretendWorld({ outColumns: () => 44 });
  const { out } = await skein(["pipeline", "graph", join(folder, "copy.yaml"), "--api", "http://127.0.0.1:1"], world);
  for (const line of out.split("\n").slice(2)) expect([...line].length).toBeLessThanOrEqual(44);
});
