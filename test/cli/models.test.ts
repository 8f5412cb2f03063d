import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SkeinError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { ModelManifest } from "../../shared/model.ts";
import { type PretendApi, startPretendApi } from "../support/pretend-api.ts";
import { standing } from "../support/pretend-catalogue.ts";
import { NODE_IDS, sha256 } from "../support/pretend-face.ts";
import { pretendWorld, skein } from "../support/pretend-world.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { TINY_WEIGHTS, tinyOnnx } from "../support/tiny-onnx.ts";

let pretend: PretendApi;
let dir: string;
beforeEach(async () => {
  pretend = await startPretendApi();
  dir = temporaryFolder();
});
afterEach(() => pretend.api.stop());

const model = (...args: string[]) => skein(["model", ...args, "--api", pretend.api.url]);
const text = (content: string): Uint8Array => new TextEncoder().encode(content);

/** Writes files below the test's folder, and answers with the path of the folder `name`. */
function folder(name: string, files: Record<string, Uint8Array>): string {
  for (const [path, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name, path)), { recursive: true });
    writeFileSync(join(dir, name, path), bytes);
  }
  return join(dir, name);
}
const digits = (): string =>
  folder("Digits v2", {
    "model.onnx": tinyOnnx({ weightsIn: "data/w.bin" }),
    "model.int8.onnx": tinyOnnx({ scale: 3 }),
    "data/w.bin": TINY_WEIGHTS,
    "labels.txt": text("zero\none\n"),
    "tokenizer.json": text("{}"),
    "README.md": text("what it is"),
    ".git/HEAD": text("ref: refs/heads/main"),
  });
const usesOf = (reference: string): Record<string, string> =>
  Object.fromEntries(pretend.face.catalogue.show(reference).manifest.files.map(({ path, use }) => [path, use]));
const keep = (manifest: Partial<ModelManifest>, more = {}): void => {
  const files = [{ path: "model.onnx", blob: sha256(tinyOnnx()), bytes: tinyOnnx().length, use: "graph" as const }];
  pretend.face.catalogue.keep(
    { name: "digits", version: 1, files, inputs: [], outputs: [], batches: true, ...manifest },
    more,
  );
};

describe("add", () => {
  test("a folder with all that is in it: each file under its path, with what it is for", async () => {
    const { code, out, err } = await model("add", digits());
    expect([code, out]).toEqual([0, "digits-v2:1 is added.\n"]);
    expect(err).toContain("digits-v2: sending 6 files, ");
    expect(usesOf("digits-v2:1")).toEqual({
      "README.md": "other",
      "data/w.bin": "weights",
      "labels.txt": "labels",
      "model.int8.onnx": "int8",
      "model.onnx": "graph",
      "tokenizer.json": "tokenizer",
    });
    expect(pretend.face.blobs.get(sha256(TINY_WEIGHTS))).toEqual(TINY_WEIGHTS);
  });

  test("a file with the weights it names, and nothing else that lies beside it", async () => {
    const path = join(
      folder("some", { "net.onnx": tinyOnnx({ weightsIn: "net.data" }), "net.data": TINY_WEIGHTS }),
      "net.onnx",
    );
    writeFileSync(join(dir, "some", "other.onnx"), tinyOnnx());
    const { out } = await model("add", path, "--version", "7", "--json");
    expect(JSON.parse(out)).toEqual({ model: "net:7", existing: false });
    expect(usesOf("net:7")).toEqual({ "net.data": "weights", "net.onnx": "graph" });
  });

  test("is called after the folder when the file is only called model.onnx, or as was said", async () => {
    const path = join(folder("Cats & Dogs", { "model.onnx": tinyOnnx() }), "model.onnx");
    expect((await model("add", path)).out).toBe("cats-dogs:1 is added.\n");
    expect((await model("add", path, "--name", "pets")).out).toBe("pets:1 is added.\n");
  });

  test("asks before it sends, and shows each step once", async () => {
    pretend.face.catalogue.steps = ["reading", "examining", "examining", "copying", "agreeing"];
    const { err } = await model("add", digits());
    const [checked] = pretend.face.calls;
    expect(checked).toMatch(/^checkModel digits-v2 .*model.onnx graph/);
    expect(err.split("\n").slice(1)).toEqual([
      "digits-v2: examining: it is loaded and run in a process of its own",
      "digits-v2: copying its files to other boxes",
      "digits-v2: having it agreed",
      "",
    ]);
  });

  test("sends the files again when the agent that took them is gone, and bears an election", async () => {
    const { face } = pretend;
    face.failures.addModel = [new SkeinError("NO_LEADER"), new SkeinError("BLOB_MISSING", { hash: "0" })];
    expect((await model("add", digits())).out).toBe("digits-v2:1 is added.\n");
    const sent = face.calls.filter((call) => call.startsWith("putBlobs"));
    expect(sent).toHaveLength(2);
  });

  test("what the fleet refuses is refused before anything is sent, or with the loader's reason, in its words and code", async () => {
    const { face } = pretend;
    const reason = "loading it takes about 200.0 GB, twice its graph and weights, and models may take 6.0 GB on attic";
    face.failures.checkModel = [new SkeinError("MODEL_REFUSED", { model: "digits-v2", reason })];
    const large = await model("add", digits());
    expect(large).toMatchObject({ code: 2, err: `skein: The model digits-v2 is not accepted: ${reason}.\n` });
    expect(face.blobs.size).toBe(0);
    const crash = "the process that loaded it ended (SIGSEGV)";
    face.failures.addModel = [new SkeinError("MODEL_REFUSED", { model: "digits-v2", reason: crash })];
    expect(await model("add", digits())).toMatchObject({ code: 2, err: expect.stringContaining(crash) });
    face.failures.addModel = [new SkeinError("MODEL_EXISTS", { model: "digits:1" })];
    expect((await model("add", digits(), "--json")).out).toContain('"code":"MODEL_EXISTS"');
  });

  describe("says what is wrong before it asks anyone", () => {
    const onnx = tinyOnnx();
    const cases: [string, () => string, RegExp, number][] = [
      ["a path that is not there", () => join(dir, "none"), /does not exist/, 2],
      ["an empty folder", () => folder("empty", { ".keep": text("") }), /has no ONNX files/, 2],
      ["a folder without a graph", () => folder("notes", { "labels.txt": text("a") }), /has no ONNX files/, 2],
      [
        "a folder of two graphs",
        () => folder("two", { "a.onnx": onnx, "b.onnx": onnx }),
        /several graphs \(a.onnx, b.onnx\); call the one to be run model.onnx/,
        2,
      ],
      [
        "text that is called ONNX",
        () => join(folder("lfs", { "net.onnx": text("version https://git-lfs.github.com/spec/v1\n") }), "net.onnx"),
        /The model net is not accepted: net.onnx is not an ONNX file/,
        2,
      ],
      [
        "a picture that is said to be a model",
        () => join(folder("pic", { "a.png": new Uint8Array([137, 80, 78, 71]) }), "a.png"),
        /a.png is not an ONNX file/,
        2,
      ],
      [
        "a graph without the weights it names",
        () => folder("half", { "model.onnx": tinyOnnx({ weightsIn: "w.bin" }) }),
        /The model half is not accepted: model.onnx needs w.bin, which is not in /,
        2,
      ],
      [
        "a file without the weights beside it",
        () => join(folder("half", { "net.onnx": tinyOnnx({ weightsIn: "w.bin" }) }), "net.onnx"),
        /net.onnx needs w.bin, which is not beside it/,
        2,
      ],
      [
        "a graph that reads elsewhere on this disk",
        () => folder("sly", { "model.onnx": tinyOnnx({ weightsIn: "../../../etc/passwd" }) }),
        /model.onnx names a file outside its folder: "..\/..\/..\/etc\/passwd"/,
        2,
      ],
      [
        "a name that comes with the agent",
        () => folder("ocr", { "model.onnx": onnx }),
        /"ocr" comes with the agent/,
        2,
      ],
      ["a folder whose name gives none", () => folder("数字", { "model.onnx": onnx }), /--name is needed/, 2],
    ];
    test.each(cases)("%s", async (_what, make, says, code) => {
      const answer = await model("add", make());
      expect(answer.err).toMatch(says);
      expect(answer.code).toBe(code);
      expect(pretend.face.calls).toEqual([]);
    });

    test("a link in the folder, and a link to the weights, wherever they lead", async () => {
      const outside = join(folder("outside", { secret: text("secret") }), "secret");
      const path = folder("linked", { "model.onnx": tinyOnnx() });
      symlinkSync(outside, join(path, "labels.txt"));
      expect((await model("add", path)).err).toContain("labels.txt is a symbolic link, which may lead anywhere");
      const graph = join(folder("linked2", { "net.onnx": tinyOnnx({ weightsIn: "sub/secret" }) }), "net.onnx");
      symlinkSync(dirname(outside), join(dirname(graph), "sub"));
      expect((await model("add", graph)).err).toContain("sub/secret is a symbolic link");
      expect(pretend.face.calls).toEqual([]);
    });

    test("a name that nothing may have, and a version that is none", async () => {
      for (const wrong of [
        ["--name", "Digits"],
        ["--name", "a:b"],
        ["--name", "canary"],
        ["--version", "0"],
        ["--version", "one"],
      ])
        expect((await model("add", digits(), ...wrong)).code, wrong.join(" ")).toBe(2);
      expect(pretend.face.calls).toEqual([]);
    });

    test("more files than a model has, and hard links to one file are its files", async () => {
      const path = folder("many", { "model.onnx": tinyOnnx() });
      linkSync(join(path, "model.onnx"), join(path, "again.bin"));
      expect((await model("add", path)).code).toBe(0);
      for (let i = 0; i < LIMITS.modelFilesMax; i++) writeFileSync(join(path, `part-${i}`), "");
      expect((await model("add", path)).err).toContain(`the most is ${LIMITS.modelFilesMax} files`);
    });
  });
});

describe("list, show, remove and alias", () => {
  test("what there is, what it takes, who holds it and where it stands", async () => {
    expect((await model("list")).out).toContain("no models of its own yet");
    const [attic, bench] = NODE_IDS as [never, never];
    const inputs = [{ name: "image", datatype: "FP32" as const, shape: [-1, 3, 224, 224] }];
    keep(
      { inputs, outputs: inputs.map((one) => ({ ...one, name: "scores", shape: [-1, 10] })) },
      standing(attic, bench),
    );
    keep({ version: 2 }, { holders: ["attic"], aliases: ["stable", "next"] });
    pretend.face.catalogue.show("digits:1").bytes = 300;
    const { out } = await model("list");
    expect(out).toMatch(
      /^digits:1 +- +300 B +image FP32\[\?,3,224,224\] +scores FP32\[\?,10\] +yes +attic, bench +attic ready, bench fetching 33 %$/m,
    );
    expect(out).toMatch(/^digits:2 +stable, next .* attic \(of 2\) +-$/m);
    expect(JSON.parse((await model("list", "--json")).out)).toHaveLength(2);
    const shown = (await model("show", "digits:1")).out;
    expect(shown).toMatch(/^open jobs +job-abc$/m);
    expect(shown).toMatch(/^model.onnx +graph +\d+ B +[0-9a-f]{16}$/m);
    expect(shown).toMatch(/^attic +ready +12.5\/s/m);
    expect((await model("show", "letters")).code).toBe(3);
  });

  test("a model that open jobs want stays, and says which; by force it goes with them", async () => {
    keep({}, { jobs: ["job-1", "job-2"] });
    expect(await model("remove", "digits:1")).toMatchObject({
      code: 1,
      err: "skein: digits:1 is not removed: open jobs want it (job-1, job-2). Wait for them, or remove it with --force, which cancels them.\n",
    });
    const { out } = await model("remove", "digits:1", "--force");
    expect(out).toBe(
      "digits:1 is removed; every box lets go of what only it stood on. Cancelled with it: job-1, job-2.\n",
    );
    expect((await model("remove", "digits:1")).code).toBe(3);
  });

  test("an alias means a version, and with 0 nothing", async () => {
    keep({});
    keep({ version: 2 });
    expect((await model("alias", "digits", "stable", "2")).out).toBe("digits:stable means version 2 from now on.\n");
    expect((await model("show", "digits:stable")).out).toMatch(/^model +digits:2$/m);
    expect((await model("alias", "digits", "stable", "0")).out).toBe("digits:stable means nothing any more.\n");
    expect((await model("alias", "digits", "stable", "9")).code).toBe(3);
    for (const wrong of [
      ["digits", "7", "1"],
      ["digits", "a b", "1"],
      ["ocr", "stable", "1"],
      ["digits", "stable", "last"],
    ])
      expect((await model("alias", ...wrong)).code, wrong.join(" ")).toBe(2);
  });
});

describe("export and import", () => {
  /** A stick with one model on it, of a fleet that then lost it. */
  async function stick(): Promise<string> {
    await model("add", digits());
    const out = join(dir, "stick");
    expect((await model("export", "digits-v2", out)).code).toBe(0);
    return out;
  }
  const forget = (): void => {
    pretend.face.catalogue.details.clear();
    pretend.face.blobs.clear();
    pretend.face.calls.length = 0;
  };
  const inStick = (path: string): string => join(dir, "stick", "digits-v2-1", path);
  const change = (patch: (manifest: ModelManifest) => void): void => {
    const manifest = JSON.parse(readFileSync(inStick("manifest.json"), "utf8")) as ModelManifest;
    patch(manifest);
    writeFileSync(inStick("manifest.json"), JSON.stringify(manifest));
  };

  test("a model goes onto a stick and comes back the same, under the same version", async () => {
    const out = await stick();
    expect(readdirSync(inStick("files")).sort()).toEqual(
      ["README.md", "data", "labels.txt", "model.int8.onnx", "model.onnx", "tokenizer.json"].sort(),
    );
    expect(readFileSync(inStick("files/data/w.bin"))).toEqual(Buffer.from(TINY_WEIGHTS));
    const before = pretend.face.catalogue.show("digits-v2").manifest;
    forget();
    expect((await model("import", out)).out).toBe("digits-v2:1 is added.\n1 model of 1 came in.\n");
    expect(pretend.face.catalogue.show("digits-v2").manifest).toEqual(before);
    expect((await model("import", inStick(""))).out).toBe(
      "digits-v2:1 is there already, with the same files.\n0 models of 1 came in.\n",
    );
  });

  test("a folder of several: what is there already is skipped, and nothing of it is read", async () => {
    const out = await stick();
    await model("add", folder("letters", { "model.onnx": tinyOnnx({ scale: 9 }) }));
    await model("export", "letters", out);
    mkdirSync(join(out, "holiday pictures"));
    pretend.face.catalogue.details.delete("letters:1");
    truncateSync(inStick("files/labels.txt"));
    const { out: said, code } = await model("import", out, "--json");
    expect(code).toBe(0);
    expect(JSON.parse(said)).toEqual([
      { model: "digits-v2:1", existing: true },
      { model: "letters:1", existing: false },
    ]);
  });

  test("an export that is there whole is left as it is; half of one, or another, is not written over", async () => {
    const out = await stick();
    expect((await model("export", "digits-v2", out)).out).toContain("is there already, whole");
    truncateSync(inStick("files/labels.txt"));
    expect(await model("export", "digits-v2", out)).toMatchObject({
      code: 2,
      err: expect.stringContaining("delete it"),
    });
  });

  test("a blob that is not what it should be leaves no file and no manifest", async () => {
    await model("add", digits());
    pretend.face.blobs.set(sha256(TINY_WEIGHTS), text("rotten"));
    const { code } = await model("export", "digits-v2", join(dir, "stick"));
    expect(code).toBe(1);
    expect(readdirSync(inStick(""))).toEqual(["files"]);
    expect(readdirSync(inStick("files/data"))).toEqual([]);
    forget();
    expect((await model("import", join(dir, "stick"))).err).toContain("holds no exported model");
  });

  describe("nothing is sent of a stick on which anything is wrong", () => {
    const cases: [string, () => void, RegExp][] = [
      [
        "a file that was changed",
        () => writeFileSync(inStick("files/labels.txt"), "one\nzero\n"),
        /files\/labels.txt has SHA-256 [0-9a-f]{16}..., and its manifest says [0-9a-f]{16}...; copy it anew/,
      ],
      [
        "a file that was cut",
        () => truncateSync(inStick("files/labels.txt"), 3),
        /has 3 bytes, and its manifest says 9/,
      ],
      [
        "a file that is missing",
        () => renameSync(inStick("files/labels.txt"), inStick("labels")),
        /labels.txt is missing in/,
      ],
      [
        "a link that leads out of the stick",
        () => {
          renameSync(inStick("files/labels.txt"), join(dir, "labels.txt"));
          symlinkSync(join(dir, "labels.txt"), inStick("files/labels.txt"));
        },
        /labels.txt is a symbolic link that leads out of/,
      ],
      [
        "a path that leaves its folder",
        () => change(({ files }) => Object.assign(files[0]!, { path: "../../../../root/.ssh/authorized_keys" })),
        /is no manifest: files\[0\].path must stay inside the model's folder/,
      ],
      [
        "a name that comes with the agent",
        () => change((one) => Object.assign(one, { name: "ocr" })),
        /"ocr" comes with the agent/,
      ],
      [
        "a key that nobody knows",
        () => change((one) => Object.assign(one, { run: "rm -rf" })),
        /manifest.run is not known/,
      ],
      ["a manifest that is cut", () => truncateSync(inStick("manifest.json"), 40), /manifest.json is no manifest: /],
      [
        "a manifest of megabytes",
        () => writeFileSync(inStick("manifest.json"), " ".repeat(3e6)),
        /is 3000000 bytes; the most is/,
      ],
      ["no manifest", () => renameSync(inStick("manifest.json"), inStick("m.json")), /holds no exported model/],
    ];
    test.each(cases)("%s", async (_what, harm, says) => {
      const out = await stick();
      forget();
      harm();
      const answer = await model("import", out);
      expect(answer.err).toMatch(says);
      expect(answer.code).toBe(2);
      expect(pretend.face.calls.filter((call) => !call.startsWith("models"))).toEqual([]);
      expect(pretend.face.blobs.size).toBe(0);
    });

    test("a version that the fleet has with other files", async () => {
      const out = await stick();
      forget();
      keep({ name: "digits-v2" });
      expect(await model("import", out)).toMatchObject({
        code: 2,
        err: "skein: digits-v2:1 is another model already, and a version is given once. Add yours under the next version.\n",
      });
      expect(pretend.face.blobs.size).toBe(0);
    });

    test("a folder that is empty or not there", async () => {
      mkdirSync(join(dir, "empty"));
      expect((await model("import", join(dir, "empty"))).err).toContain("holds no exported model");
      expect((await model("import", join(dir, "none"))).err).toContain("does not exist");
    });
  });
});

test("a bar is drawn over on a terminal while files are sent", async () => {
  const world = pretendWorld({ isTerminal: true });
  const { err } = await skein(["model", "add", digits(), "--api", pretend.api.url], world);
  expect(err).toContain("sent 6 of 6 files");
});
