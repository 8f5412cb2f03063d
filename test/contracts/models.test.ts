/** What agent/ports/models.ts promises of model folders, held against the real ones and the simulator's. */
import { createHash, randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openModelFolders } from "../../agent/io/models/index.ts";
import type { FileToPlace, ModelFolders } from "../../agent/ports/index.ts";
import type { BlobHash } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import { PretendModels } from "../support/pretend-models.ts";
import { fillDisk, freeDisk, silent, smallDisk, temporaryFolder } from "../support/small-disk.ts";

/** One disk that outlives its folders. */
interface Disk {
  open(): Promise<ModelFolders>;
  /** The bytes of one file of a model that is there. */
  file(digest: BlobHash, path: string): Promise<Uint8Array>;
  rot(digest: BlobHash, path: string): Promise<void>;
  setFull(isFull: boolean): Promise<void>;
}

const MiB = 1024 * 1024;
const MAKERS: { name: string; make: () => Promise<Disk>; makeSmall: () => Promise<Disk | string> }[] = [
  {
    name: "the models in folders",
    make: async () => realDisk(await temporaryFolder()),
    makeSmall: async () => {
      const disk = await smallDisk(LIMITS.diskFreeBytesMin / MiB + 8);
      return "path" in disk ? realDisk(disk.path) : disk.reason;
    },
  },
  {
    name: "the pretend models",
    make: async () => pretendDisk(Number.POSITIVE_INFINITY),
    makeSmall: async () => pretendDisk(8 * MiB),
  },
];

function realDisk(path: string): Disk {
  const placeOf = (digest: BlobHash, file: string): string => join(path, "models", digest, file);
  return {
    open: () => openModelFolders(join(path, "models"), { telemetry: silent }),
    file: async (digest, file) => new Uint8Array(await readFile(placeOf(digest, file))),
    rot: async (digest, file) => writeFile(placeOf(digest, file), flipped(await readFile(placeOf(digest, file)))),
    setFull: (isFull) => (isFull ? fillDisk(path, LIMITS.diskFreeBytesMin / MiB - 1) : freeDisk(path)),
  };
}

function pretendDisk(capacityBytes: number): Disk {
  const disk = new PretendModels(capacityBytes);
  return {
    open: async () => disk.open(),
    file: async (digest, path) => disk.placed.get(digest)!.get(path)!,
    rot: async (digest, path) => disk.rot(digest, path),
    setFull: async (isFull) => {
      disk.capacityBytes = isFull ? 0 : capacityBytes;
    },
  };
}

const flipped = (bytes: Uint8Array): Uint8Array =>
  bytes.map((byte, at) => (at === bytes.length >> 1 ? byte ^ 1 : byte));
const hashOf = (bytes: Uint8Array): BlobHash => createHash("sha256").update(bytes).digest("hex") as BlobHash;
const some = (bytes: number): Uint8Array => new Uint8Array(randomBytes(bytes));
const DIGEST = hashOf(some(8));

function fileOf(path: string, bytes: Uint8Array, sent: Uint8Array = bytes): FileToPlace & { content: Uint8Array } {
  const read = async function* () {
    for (let at = 0; at < sent.length; at += 100_000) yield sent.subarray(at, at + 100_000);
  };
  return { path, sha256: hashOf(bytes), bytes: bytes.length, content: bytes, read };
}
const model = () => [
  fileOf("model.onnx", some(250_000)),
  fileOf("weights/a/0.bin", some(1_000)),
  fileOf("labels.txt", some(0)),
];

describe.each(MAKERS)("$name", ({ make, makeSmall }) => {
  test("a model's files stand in its folder under their paths, also in the next life", async () => {
    const disk = await make();
    const files = model();
    const folders = await disk.open();
    expect(await folders.folderOf(DIGEST)).toBeUndefined();
    const folder = await folders.place(DIGEST, files);
    for (const { path, content } of files) expect(await disk.file(DIGEST, path)).toEqual(content);
    expect([await folders.folderOf(DIGEST), await folders.list()]).toEqual([folder, [DIGEST]]);
    const later = await disk.open();
    expect([await later.folderOf(DIGEST), await later.list()]).toEqual([folder, [DIGEST]]);
  });

  test("one that is there whole is not read from its sources again", async () => {
    const disk = await make();
    const files = model();
    const folder = await (await disk.open()).place(DIGEST, files);
    const unread = files.map((file) => ({ ...file, read: () => expect.fail("it was read") as never }));
    const later = await disk.open();
    expect(await later.place(DIGEST, unread)).toBe(folder);
    expect(await later.place(DIGEST, unread)).toBe(folder);
  });

  test("one whose bytes rotted between two lives is made anew", async () => {
    const disk = await make();
    const files = model();
    await (await disk.open()).place(DIGEST, files);
    await disk.rot(DIGEST, "model.onnx");
    const later = await disk.open();
    await later.place(DIGEST, files);
    expect(await disk.file(DIGEST, "model.onnx")).toEqual(files[0]!.content);
  });

  test("other bytes, too few or too many are refused and leave nothing; the right ones may follow", async () => {
    const disk = await make();
    const folders = await disk.open();
    const [graph, ...rest] = model();
    const { content } = graph!;
    for (const sent of [flipped(content), content.subarray(1), new Uint8Array([...content, 0])]) {
      const files = [...rest, fileOf("model.onnx", content, sent)];
      await expect(folders.place(DIGEST, files)).rejects.toMatchObject({ code: "BLOB_HASH_MISMATCH" });
      expect([await folders.folderOf(DIGEST), await folders.list()]).toEqual([undefined, []]);
    }
    await folders.place(DIGEST, [graph!, ...rest]);
    expect(await folders.list()).toEqual([DIGEST]);
  });

  test("a source that breaks off leaves nothing, and its error is told", async () => {
    const folders = await (await make()).open();
    const [graph, ...rest] = model();
    const read = async function* () {
      yield graph!.content.subarray(0, 100);
      throw new Error("the line went dead");
    };
    await expect(folders.place(DIGEST, [...rest, { ...graph!, read }])).rejects.toThrow("the line went dead");
    expect(await folders.list()).toEqual([]);
  });

  test.each([
    ["leaves the folder", ["../model.onnx"]],
    ["leaves it on the way", ["a/../../model.onnx"]],
    ["is absolute", ["/etc/passwd"]],
    ["is another system's", ["..\\model.onnx"]],
    ["is there twice", ["model.onnx", "model.onnx"]],
    ["is a file and a folder", ["a", "a/model.onnx"]],
  ])("a path that %s is refused", async (_, paths) => {
    const folders = await (await make()).open();
    const files = paths.map((path) => fileOf(path, some(10)));
    await expect(folders.place(DIGEST, files)).rejects.toMatchObject({ code: "BAD_REQUEST" });
    expect(await folders.list()).toEqual([]);
  });

  test("a digest that is none is refused: it is a part of a path", async () => {
    const folders = await (await make()).open();
    const digest = "../../elsewhere" as BlobHash;
    await expect(folders.place(digest, model())).rejects.toMatchObject({ code: "BAD_REQUEST" });
    await expect(folders.remove(digest)).rejects.toMatchObject({ code: "BAD_REQUEST" });
    await expect(folders.folderOf(digest)).rejects.toMatchObject({ code: "BAD_REQUEST" });
  });

  test("a removed model is gone, removing it again is no error, and it may come back", async () => {
    const disk = await make();
    const folders = await disk.open();
    const files = model();
    await folders.place(DIGEST, files);
    await folders.remove(DIGEST);
    await folders.remove(DIGEST);
    expect(await folders.folderOf(DIGEST)).toBeUndefined();
    await folders.place(DIGEST, files);
    expect(await disk.file(DIGEST, "model.onnx")).toEqual(files[0]!.content);
  });

  test("placed twice at once it is there once", async () => {
    const folders = await (await make()).open();
    const files = model();
    const paths = await Promise.all([folders.place(DIGEST, files), folders.place(DIGEST, files)]);
    expect(new Set(paths).size).toBe(1);
    expect(await folders.list()).toEqual([DIGEST]);
  });

  test("a full disk refuses a model before anything is written, and takes it when there is room", async (context) => {
    const disk = await makeSmall();
    if (typeof disk === "string") return context.skip(disk);
    const folders = await disk.open();
    await disk.setFull(true);
    await expect(folders.place(DIGEST, model())).rejects.toMatchObject({ code: "DISK_FULL" });
    expect(await folders.list()).toEqual([]);
    await disk.setFull(false);
    await folders.place(DIGEST, model());
    const tooLarge = [fileOf("model.onnx", some(9 * MiB))];
    await expect(folders.place(hashOf(some(8)), tooLarge)).rejects.toMatchObject({ code: "DISK_FULL" });
    expect(await folders.list()).toEqual([DIGEST]);
  });
});

test("what a crash left half-written or half-removed is gone at the next start, and is no model", async () => {
  const path = join(await temporaryFolder(), "models");
  await openModelFolders(path, { telemetry: silent });
  await mkdir(join(path, "incoming", "0", "weights"), { recursive: true });
  await writeFile(join(path, "incoming", "0", "model.onnx"), "half");
  const folders = await openModelFolders(path, { telemetry: silent });
  expect(await folders.list()).toEqual([]);
  expect(await readdir(join(path, "incoming"))).toEqual([]);
});
