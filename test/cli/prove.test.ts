import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createIdentity, createSigner } from "../../agent/io/network/index.ts";
import type { Signer } from "../../agent/ports/index.ts";
import type { JobId, NodeId, ShardId } from "../../shared/ids.ts";
import type { JobView, Receipt } from "../../shared/job.ts";
import { writeReceipt } from "../../shared/receipt.ts";
import { blob } from "../support/nouns.ts";
import { type PretendApi, startPretendApi } from "../support/pretend-api.ts";
import { NODE_IDS, sha256 } from "../support/pretend-face.ts";
import { pretendReceipt } from "../support/pretend-receipt.ts";
import { skein } from "../support/pretend-world.ts";
import { temporaryFolder } from "../support/temporary.ts";

let pretend: PretendApi;
let jobId: JobId;
beforeEach(async () => {
  pretend = await startPretendApi();
  const page = new TextEncoder().encode("text");
  await pretend.client.putBlob(sha256(page), page);
  const inputs = [1, 2].map((i) => ({ name: `p${i}.png`, blob: sha256(page), bytes: page.length }));
  ({ jobId } = await pretend.client.jobSubmit({ pipeline: "ocr", inputs }));
  pretend.face.record(jobId, 2);
});
afterEach(() => pretend.api.stop());

const api = (): string[] => ["--api", pretend.api.url];
const verify = (...argv: string[]) => skein(["verify", ...argv, ...api()]);

/** The face's receipt as boxes with real keys would sign it. */
async function realReceipt(): Promise<Receipt> {
  const boxes = new Map<NodeId, Signer>();
  const ids = new Map<NodeId, NodeId>();
  for (const known of NODE_IDS) {
    const { nodeId, key } = await createIdentity();
    boxes.set(nodeId, createSigner(key));
    ids.set(known, nodeId);
  }
  const told = await pretend.face.receipt(jobId);
  const job: JobView = { ...told.job, shares: told.job.shares.map((s) => ({ ...s, nodeId: ids.get(s.nodeId)! })) };
  const results = told.results.map((result) => ({ ...result, node: ids.get(result.node)! }));
  return pretendReceipt(job, results, ids.get(NODE_IDS[0]!)!, (node) => boxes.get(node)!);
}

async function aFile(text: string): Promise<string> {
  const path = join(temporaryFolder(), "receipt.json");
  await writeFile(path, text);
  return path;
}

test("a receipt tells each item, what each node did and cost, what was ignored, and who signed", async () => {
  const shardId = "job-0001/7.9" as ShardId;
  pretend.face.receiptChanges = {
    losses: [{ node: NODE_IDS[2]!, attempts: 4, hedges: 1, lostMs: 3_400 }],
    ignoredReports: [{ item: 1, node: NODE_IDS[2]!, shardId, because: "recorded", atIndex: 140 }],
  };
  const { out, code } = await skein(["receipt", jobId, ...api()]);
  expect(code).toBe(0);
  expect(out).toMatch(/^cellar +0 +0\.0 s +0 +4 +1 +3\.4 s$/m);
  expect(out).toMatch(/^p2\.png +cellar +7\.9 +140 +it was recorded already$/m);
  expect(out).toMatch(/^signed +2 of 2 results by the node that made it$/m);
  expect(out).toMatch(/^written by +attic$/m);
});

test("a receipt in a file is the agent's, to the byte, and says how it is checked", async () => {
  const path = join(temporaryFolder(), "receipt.json");
  const { out, code } = await skein(["receipt", jobId, "--out", path, ...api()]);
  expect(code).toBe(0);
  expect(out).toContain(`skein verify --receipt ${path}`);
  expect(await readFile(path, "utf8")).toBe(writeReceipt(await pretend.face.receipt(jobId)));
});

test("a job that verifies ends with exit code 0", async () => {
  const { out, code } = await verify(jobId, "--recompute", "1");
  expect([code, out]).toEqual([
    0,
    "job-0001: 2 items, 8 sound copies read back (1.0 MB), 2 valid signatures, 1 item computed again elsewhere (1 to the byte).\nEverything holds.\n",
  ]);
});

test("what is wrong is a table with what becomes of it, and exit code 1", async () => {
  const at = { item: 0, name: "p1.png", node: NODE_IDS[1]!, blob: blob(1) };
  pretend.face.verifyPages = [
    { faults: [{ what: "copyDamaged", ...at, reason: "its copy of the output is damaged" }] },
  ];
  const { out, code } = await verify(jobId);
  expect(code).toBe(1);
  expect(out).toMatch(/^p1\.png +bench +copyDamaged +its copy of the output is damaged$/m);
  expect(out).toContain("copyDamaged: Set aside on that node; the leader copies it again from a sound holder.");
  pretend.face.verifyPages = [{ faults: [{ what: "copyMissing", ...at, reason: "it is gone" }] }];
  const json = await verify(jobId, "--json");
  expect(JSON.parse(json.out)).toMatchObject({ ok: false, faults: [{ what: "copyMissing", hint: /Struck/ }] });
});

test("a large job is verified in parts, whose sums and faults are told together and whose sample is shared", async () => {
  const silent = { what: "holderSilent" as const, node: NODE_IDS[2]!, reason: "it cannot be reached" };
  pretend.face.verifyPages = [
    { nextItem: 1, itemsVerified: 1, recomputed: 2, faults: [silent] },
    { itemsVerified: 1, recomputed: 1, faults: [silent] },
  ];
  const { out, err, code } = await verify(jobId, "--recompute", "3");
  expect(code).toBe(1);
  expect(pretend.face.calls.filter((call) => call.startsWith("verify"))).toEqual([
    `verify ${jobId} 0 3`,
    `verify ${jobId} 1 1`,
  ]);
  expect(err).toBe("1 item verified...\n");
  expect(out).toContain("3 items computed again elsewhere");
  expect(out).toContain("1 fault.");
});

test("a receipt is checked without any agent, by the ids in it", async () => {
  const path = await aFile(writeReceipt(await realReceipt()));
  const { out, err, code } = await skein(["verify", "--receipt", path, "--api", "http://127.0.0.1:9"]);
  expect([code, err]).toEqual([0, expect.stringContaining("Checked by itself only")]);
  expect(out).toContain('The receipt of job-0001 (done, 2 of 2 items), written by attic of fleet "home"');
});

test("a receipt that was tampered with is told, and one that is none is refused", async () => {
  const receipt = await realReceipt();
  const [first, ...rest] = receipt.results;
  const changed = { ...receipt, results: [{ ...first!, output: blob(9) }, ...rest] };
  const { out, code } = await verify("--receipt", await aFile(writeReceipt(changed)));
  expect(code).toBe(1);
  expect(out).toMatch(/attic +receiptChanged/);
  expect(out).toMatch(/p1\.png +attic +signatureWrong/);
  expect((await verify("--receipt", await aFile("{}\n"))).code).toBe(2);
  expect((await verify("--receipt", await aFile(JSON.stringify(receipt)))).code).toBe(2);
  expect((await verify("--receipt", "/nowhere/receipt.json")).code).toBe(2);
});

test("a receipt that the fleet's ledger does not bear out is told", async () => {
  const receipt = await realReceipt();
  pretend.face.receipt = async () => receipt;
  const path = await aFile(writeReceipt(receipt));
  expect(await verify("--receipt", path)).toMatchObject({ code: 0, err: "" });
  const [first] = receipt.results;
  pretend.face.receipt = async () => ({ ...receipt, results: [{ ...first!, recordedAtIndex: 7 }] });
  const { out, code } = await verify(jobId, "--receipt", path);
  expect(code).toBe(1);
  expect(out).toMatch(/p1\.png +attic +ledgerDiffers +the ledger has another recordedAtIndex/);
  expect(out).toMatch(/p2\.png +bench +ledgerDiffers +the ledger has no result of it/);
});

test.each([[[]], [["job-0001", "--recompute", "0"]], [["job-0001", "--recompute", "x"]]])(
  "verify %j is asked wrongly",
  async (argv) => {
    expect((await verify(...argv)).code).toBe(2);
  },
);

test("a receipt of another job than the one that is named is refused, and an unknown job is not found", async () => {
  const path = await aFile(writeReceipt(await realReceipt()));
  expect((await verify("job-0002", "--receipt", path)).code).toBe(2);
  expect((await verify("job-0002")).code).toBe(3);
});
