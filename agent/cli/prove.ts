/** `skein receipt` and `skein verify`: who did what of a job, and whether it holds. */
import { readFile } from "node:fs/promises";
import { SkeinError } from "../../shared/errors.ts";
import type { NodeView } from "../../shared/fleet.ts";
import { shortNodeId } from "../../shared/ids.ts";
import { isOpen, type Receipt, type ReceiptItem } from "../../shared/job.ts";
import { LIMITS } from "../../shared/limits.ts";
import { readReceipt, receiptFaults, writeReceipt } from "../../shared/receipt.ts";
import { FAULTS, type Fault, type VerifyPage } from "../../shared/verification.ts";
import { print } from "./calls.ts";
import { describeReceipt } from "./describe-receipt.ts";
import { writeWhole } from "./files.ts";
import { type CommonOptions, clientFor, wholeNumber } from "./options.ts";
import type { SteadyClient } from "./steady-client.ts";
import { bytes, plain, plural, table } from "./table.ts";
import { verifyWhole } from "./verify-whole.ts";
import type { World } from "./world.ts";

/** A box that is busy, or a change of leader, is borne so long. */
const PATIENCE = { patienceMs: 5_000 };

export async function receipt(jobId: string, options: CommonOptions & { out?: string }, world: World): Promise<number> {
  const client = await clientFor(options, world);
  const answer = await client.call((one) => one.receipt(jobId));
  if (options.out !== undefined) {
    await writeWhole(options.out, writeReceipt(answer));
    const text = `${plain(options.out)} holds the receipt of ${plain(jobId)}, signed by ${nameIn(answer)(answer.writtenBy)}. \`skein verify --receipt ${plain(options.out)}\` checks it anywhere.\n`;
    return print(options, world, answer, text);
  }
  return print(options, world, answer, describeReceipt(answer));
}

interface VerifyOptions extends CommonOptions {
  recompute?: string;
  receipt?: string;
}

/** Exit code 0 only if nothing is wrong. */
export async function verify(jobId: string | undefined, options: VerifyOptions, world: World): Promise<number> {
  if (jobId === undefined && options.receipt === undefined)
    throw new SkeinError("BAD_REQUEST", { reason: "name a job, or a receipt with --receipt FILE" });
  const recompute = options.recompute ? wholeNumber(options.recompute, "--recompute", 1, LIMITS.jobItemsMax) : 0;
  const client = await clientFor(options, world);
  const document = options.receipt === undefined ? undefined : await openReceipt(options.receipt, jobId);
  const ofDocument = document && (await verifyDocument(document, client, world));
  const ofFleet =
    jobId === undefined
      ? undefined
      : await verifyWhole(
          (request) => client.call((one) => one.jobVerify(jobId, request), PATIENCE),
          recompute,
          (items) => world.err(`${plural(items, "item")} verified...\n`),
        );
  const faults = [...(ofDocument ?? []), ...(ofFleet?.faults ?? [])];
  const nodes = await client.call((one) => one.nodes()).catch(() => [] as NodeView[]);
  const answer = {
    ...ofFleet,
    ok: faults.length === 0,
    faults: faults.map((fault) => ({ ...fault, hint: FAULTS[fault.what] })),
  };
  const told = [document && toldOfDocument(document), ofFleet && toldOfFleet(ofFleet)].filter(Boolean).join("");
  const nameOf = (node: string): string =>
    nodes.find(({ nodeId }) => nodeId === node)?.name ??
    (document ? nameIn(document)(node) : shortNodeId(node as never));
  print(options, world, answer, told + describeFaults(faults, nameOf));
  return faults.length === 0 ? 0 : 1;
}

/** @throws BAD_REQUEST */
async function openReceipt(path: string, jobId: string | undefined): Promise<Receipt> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    throw new SkeinError("FOLDER_MISSING", { path }, { cause: error });
  });
  const document = readReceipt(text);
  if (jobId !== undefined && document.job.jobId !== jobId)
    throw new SkeinError("BAD_REQUEST", { reason: `${path} is the receipt of ${document.job.jobId}` });
  return document;
}

/** By itself; and against the ledger, if an agent of its fleet answers and still knows the job. */
async function verifyDocument(document: Receipt, client: SteadyClient, world: World): Promise<Fault[]> {
  const { createVerifier } = await import("../io/network/index.ts");
  const faults = await receiptFaults(document, createVerifier());
  const { jobId } = document.job;
  try {
    const known = await client.call((one) => one.receipt(jobId));
    if (known.fleetId !== document.fleetId) throw new SkeinError("JOB_UNKNOWN", { jobId });
    return [...faults, ...ledgerFaults(document, known)];
  } catch (error) {
    const { code, message } = SkeinError.from(error);
    const why = code === "JOB_UNKNOWN" ? "the fleet at hand does not know this job, or not any more" : plain(message);
    world.err(`Checked by itself only, not against a ledger: ${why}\n`);
    return faults;
  }
}

const FACTS = [
  "name",
  "input",
  "output",
  "node",
  "shardId",
  "durationMs",
  "finishedAtMs",
  "recordedAtIndex",
  "signature",
] as const;

function ledgerFaults(document: Receipt, known: Receipt): Fault[] {
  const byItem = new Map(known.results.map((result) => [result.item, result]));
  return document.results.flatMap((told: ReceiptItem): Fault[] => {
    const agreed = byItem.get(told.item);
    const others = FACTS.filter((fact) => agreed?.[fact] !== told[fact]);
    if (others.length === 0) return [];
    const reason = agreed ? `the ledger has another ${others.join(", ")}` : "the ledger has no result of it";
    return [{ what: "ledgerDiffers", item: told.item, name: told.name, node: told.node, reason }];
  });
}

function toldOfDocument(document: Receipt): string {
  const { job, results, writtenAtMs, writtenBy, fleetName } = document;
  const at = new Date(writtenAtMs).toISOString().slice(0, 19).replace("T", " ");
  const state = isOpen(job.state) ? "not ended then" : job.state;
  return `The receipt of ${plain(job.jobId)} (${state}, ${results.length} of ${job.items} items), written by ${nameIn(document)(writtenBy)} of fleet "${plain(fleetName)}" at ${at} UTC.\n`;
}

function toldOfFleet(page: VerifyPage): string {
  const again =
    page.recomputed === 0
      ? ""
      : `, ${plural(page.recomputed, "item")} computed again elsewhere (${page.recomputed - page.recomputedAlike} to the byte)`;
  return `${plain(page.jobId)}: ${plural(page.itemsVerified, "item")}, ${plural(page.copiesSound, "sound copy", "sound copies")} read back (${bytes(page.bytesRead)}), ${plural(page.signaturesValid, "valid signature")}${again}.\n`;
}

const nameIn =
  ({ job }: Receipt) =>
  (node: string): string =>
    plain(job.shares.find(({ nodeId }) => nodeId === node)?.name ?? shortNodeId(node as never));

function describeFaults(faults: readonly Fault[], nameOf: (node: string) => string): string {
  if (faults.length === 0) return "Everything holds.\n";
  const rows = faults.map(({ name, node, what, reason }) => [name ?? "-", node ? nameOf(node) : "-", what, reason]);
  const kinds = [...new Set(faults.map(({ what }) => what))];
  const hints = kinds.map((kind) => `${kind}: ${FAULTS[kind]}\n`).join("");
  return `\n${table(["ITEM", "NODE", "WHAT", "BECAUSE"], rows)}\n${hints}${plural(faults.length, "fault")}.\n`;
}
