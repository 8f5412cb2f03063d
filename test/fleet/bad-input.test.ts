/** What people hand in by mistake, through the real CLI: a clear word for each, and the rest is read all the same. */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32, deflateSync } from "node:zlib";
import sharp from "sharp";
import { expect, test } from "vitest";
import type { ErrorBody } from "../../shared/errors.ts";
import type { JobId } from "../../shared/ids.ts";
import type { Page } from "./pages.ts";
import { setStage } from "./promises.ts";
import type { RealAgent } from "./real-agent.ts";

const stage = setStage(["attic", "bench", "cellar"]);
const box = (): RealAgent => stage.fleet.agents[0]!;

async function folderWith(name: string, files: readonly Pick<Page, "name" | "bytes">[]): Promise<string> {
  const folder = join(stage.fleet.folder, name);
  await mkdir(folder, { recursive: true });
  for (const file of files) await writeFile(join(folder, file.name), file.bytes);
  return folder;
}

/** A valid grey PNG of `width` x `height` pixels in a few kilobytes. */
function emptyPng(width: number, height: number): Uint8Array {
  const chunk = (kind: string, content: Uint8Array): Buffer => {
    const body = Buffer.concat([Buffer.from(kind, "latin1"), content]);
    const ends = Buffer.alloc(8);
    ends.writeUInt32BE(content.length, 0);
    ends.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.writeUInt8(1, 8); // bits a pixel; colour type 0 is grey
  const rows = Buffer.alloc(height * (1 + Math.ceil(width / 8)));
  const signature = Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const parts = [chunk("IHDR", header), chunk("IDAT", deflateSync(rows)), chunk("IEND", new Uint8Array(0))];
  return Buffer.concat([signature, ...parts]);
}

interface Summary {
  jobId: JobId;
  items: number;
  itemsFailed: number;
  pages: { name: string; error?: ErrorBody }[];
}

test("broken images among good ones are named with the reason, the good ones are read, and the exit code is 1", async () => {
  const good = stage.pages(0).slice(0, 4);
  const png = good[0]!.bytes;
  const jpeg = await sharp(png).jpeg().toBuffer();
  const bad = [
    { name: "notes.png", bytes: Buffer.from("milk, eggs, bread\n"), code: "IMAGE_UNREADABLE", says: "cannot be read" },
    { name: "cut.png", bytes: png.subarray(0, png.length / 3), code: "IMAGE_UNREADABLE", says: "cannot be read" },
    { name: "cut.jpg", bytes: jpeg.subarray(0, jpeg.length / 3), code: "IMAGE_UNREADABLE", says: "cannot be read" },
    { name: "empty.png", bytes: new Uint8Array(0), code: "INPUT_EMPTY", says: "is empty (0 bytes)" },
    { name: "map.png", bytes: emptyPng(20_000, 10_000), code: "IMAGE_TOO_LARGE", says: "200000000 pixels" },
  ];
  const folder = await folderWith("scans", [...good, ...bad]);
  const out = join(stage.fleet.folder, "text");
  const said = await box().skein("run", "ocr", folder, "--out", out, "--json");

  expect(said.exitCode).toBe(1);
  const summary = JSON.parse(said.out) as Summary;
  expect(summary).toMatchObject({ items: good.length + bad.length, itemsFailed: bad.length });
  for (const { name, code, says } of bad) {
    expect(summary.pages.find((page) => page.name === name)?.error?.code, name).toBe(code);
    const line = said.err.split("\n").find((one) => one.trim().startsWith(`${name}:`));
    expect(line, `what is said of ${name}`).toContain(name);
    expect(line).toContain(says);
  }
  const stems = good.map(({ name }) => name.replace(/\.png$/, "")).sort();
  expect((await readdir(out)).sort()).toEqual(stems.flatMap((stem) => [`${stem}.json`, `${stem}.txt`]));
  for (const page of good)
    expect(await readFile(join(out, page.name.replace(/\.png$/, ".json")))).toEqual(Buffer.from(stage.alone(page)));
  await stage.fleet.whole();
});

test("a folder without images, a missing folder and an unknown pipeline are refused before there is a job", async () => {
  const jobIds = async () => (await box().client.jobs()).map((job) => job.jobId);
  const before = await jobIds();
  const none = await folderWith("letters", [{ name: "letter.txt", bytes: Buffer.from("Dear all") }]);
  const some = await folderWith("pages", stage.pages(0).slice(0, 2));
  const missing = join(stage.fleet.folder, "nowhere");
  expect(await box().skein("run", "ocr", none)).toMatchObject({
    exitCode: 2,
    err: `skein: ${none} has no PNG, JPEG or WebP files, so there is nothing to read.\n`,
  });
  expect(await box().skein("run", "ocr", missing)).toMatchObject({
    exitCode: 2,
    err: `skein: ${missing} does not exist. Check the path.\n`,
  });
  const unknown = await box().skein("run", "translate", some);
  expect(unknown.exitCode).toBe(2);
  expect(unknown.err).toContain('There is no pipeline "translate". This fleet knows: ocr, canary.');
  expect(await jobIds()).toEqual(before);
});

test("a second job under the same key is the first, on any box; other inputs under that key are refused", async () => {
  const { fleet } = stage;
  const key = "monday";
  const monday = await folderWith("monday", stage.pages(0).slice(0, 3));
  const other = await folderWith("tuesday", stage.pages(0).slice(3, 6));
  const first = await box().skein("run", "ocr", monday, "--key", key, "--json");
  const again = await fleet.agents[1]!.skein("run", "ocr", monday, "--key", key, "--json");
  expect([first.exitCode, again.exitCode]).toEqual([0, 0]);
  const { jobId } = JSON.parse(first.out) as Summary;
  expect(JSON.parse(again.out)).toMatchObject({ jobId, pages: (JSON.parse(first.out) as Summary).pages });
  expect(again.err).toContain(`${jobId} was submitted before under this key.`);

  const refused = await fleet.agents[2]!.skein("run", "ocr", other, "--key", key);
  expect(refused.exitCode).toBe(2);
  expect(refused.err).toContain(`The key "${key}" belongs to job ${jobId}, which has other inputs.`);
  expect((await box().client.jobs()).filter((job) => job.idempotencyKey === key)).toHaveLength(1);
});
