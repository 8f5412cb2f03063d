import type { NodeId } from "../../shared/ids.ts";
import { shortNodeId } from "../../shared/ids.ts";
import type { IgnoredReport, Receipt, ReceiptItem } from "../../shared/job.ts";
import { duration, pairs, plural, table } from "./table.ts";

/** A receipt for a person: each item, each node, and what came to nothing. */
export function describeReceipt(receipt: Receipt): string {
  const nameOf = (node: NodeId): string =>
    receipt.job.shares.find(({ nodeId }) => nodeId === node)?.name ?? shortNodeId(node);
  return [
    itemTable(receipt, nameOf),
    nodeTable(receipt, nameOf),
    ignoredTable(receipt, nameOf),
    summary(receipt, nameOf),
  ]
    .filter((part) => part !== "")
    .join("\n");
}

type NameOf = (node: NodeId) => string;

function itemTable({ results }: Receipt, nameOf: NameOf): string {
  const head = ["ITEM", "NODE", "SHARD", "INDEX", "AT", "MS", "INPUT", "OUTPUT", "SIGNED", "TRIES", "COPIES AT"];
  const rows = results.map((result) => [
    result.name,
    nameOf(result.node),
    result.shardId.slice(result.shardId.indexOf("/") + 1),
    String(result.recordedAtIndex),
    new Date(result.finishedAtMs).toISOString().slice(11, 19),
    String(Math.round(result.durationMs)),
    result.input.slice(0, 8),
    result.output?.slice(0, 12) ?? result.error?.code ?? "-",
    signed(result),
    String(1 + (result.lostAttempts?.length ?? 0)),
    result.holders.map(nameOf).join(", "),
  ]);
  return table(head, rows, ["INDEX", "MS", "TRIES"]);
}

const signed = ({ signatureState }: ReceiptItem): string =>
  signatureState === "valid" ? "yes" : signatureState === "absent" ? "no" : "WRONG";

/** What each node did, and what its leases cost that brought nothing. */
function nodeTable({ results, losses, job }: Receipt, nameOf: NameOf): string {
  const nodes = [...new Set([...job.shares.map(({ nodeId }) => nodeId), ...losses.map(({ node }) => node)])];
  const rows = nodes.map((node) => {
    const own = results.filter((result) => result.node === node);
    const loss = losses.find((one) => one.node === node);
    return [
      nameOf(node),
      String(own.length),
      duration(own.reduce((sum, { durationMs }) => sum + durationMs, 0)),
      String(results.filter(({ holders }) => holders.includes(node)).length),
      String(loss?.attempts ?? 0),
      String(loss?.hedges ?? 0),
      loss ? duration(loss.lostMs) : "-",
    ];
  });
  const figures = ["ITEMS", "COMPUTED", "HOLDS", "TRIES LOST", "HEDGES LOST", "COST"];
  return rows.length === 0 ? "" : table(["NODE", ...figures], rows, figures);
}

function ignoredTable({ ignoredReports, results }: Receipt, nameOf: NameOf): string {
  if (ignoredReports.length === 0) return "";
  const rows = ignoredReports.map(({ item, node, shardId, because, atIndex }: IgnoredReport) => [
    results.find((result) => result.item === item)?.name ?? String(item),
    nameOf(node),
    shardId.slice(shardId.indexOf("/") + 1),
    String(atIndex),
    because === "recorded" ? "it was recorded already" : "the job had ended",
  ]);
  return table(["IGNORED REPORT OF", "NODE", "SHARD", "INDEX", "BECAUSE"], rows, ["INDEX"]);
}

function summary(receipt: Receipt, nameOf: NameOf): string {
  const { job, results } = receipt;
  const valid = results.filter(({ signatureState }) => signatureState === "valid").length;
  const madeWith = new Set(results.flatMap((result) => result.madeWith ?? []));
  return pairs([
    ["job", `${job.jobId} (${job.pipeline}), ${job.state}, submitted at index ${receipt.submittedAtIndex}`],
    ["recorded", `${job.itemsRecorded} of ${job.items}, ${job.duplicatesIgnored} repeats ignored`],
    ["made with", madeWith.size === 0 ? "-" : [...madeWith].map((digest) => digest.slice(0, 12)).join(", ")],
    ["signed", `${valid} of ${plural(results.length, "result")} by the node that made it`],
    ["copies alive", `${receipt.copiesMin} to ${receipt.copiesMax} of each output`],
    ["written by", nameOf(receipt.writtenBy)],
  ]);
}
