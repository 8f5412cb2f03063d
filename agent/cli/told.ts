/** What came of a job, for whoever ran it. */
import { resolve } from "node:path";
import type { JobView } from "../../shared/job.ts";
import type { PipelineFiles } from "../../shared/pipelines.ts";
import { type ItemOutput, outputsText, skippedOf, skippedText } from "./outputs.ts";
import type { Pages } from "./pages.ts";
import { duration, plain, plural } from "./table.ts";
import type { World } from "./world.ts";

export interface Telling {
  job: JobView;
  pages: Pages;
  item: PipelineFiles["item"];
  /** Where the files are; undefined: they are told on stdout. */
  out: string | undefined;
  isJson: boolean;
}

export function tell(telling: Telling, world: World): void {
  const { job, pages, out, isJson } = telling;
  if (isJson) world.out(`${JSON.stringify(summaryOf(job, pages, out), null, 2)}\n`);
  else if (out === undefined) world.out(allText(pages, world.outColumns()));
  world.err(verdict(telling));
  for (const { name, error } of pages.failed) world.err(`  ${plain(name)}: ${plain(error?.message ?? "")}\n`);
  for (const { name, output } of outputsIn(pages))
    for (const one of skippedOf(output)) world.err(`  ${plain(name)}: skipped ${plain(skippedText(one))}\n`);
}

const outputsIn = (pages: Pages): ItemOutput[] =>
  pages.inOrder
    .filter(({ item }) => pages.outputs.has(item))
    .map(({ item, name }) => ({ name, output: pages.outputs.get(item)! }));

function verdict({ job, out, item: { noun, done } }: Telling): string {
  const took = job.endedAtMs === undefined ? "" : ` in ${duration(job.endedAtMs - job.submittedAtMs)}`;
  const busy = job.shares.filter((share) => share.itemsRecorded > 0);
  const by = busy.map((share) => `${plain(share.name)} ${share.itemsRecorded}`).join(", ");
  const read = job.itemsRecorded - job.itemsFailed;
  const failed = job.itemsFailed > 0 ? `, ${job.itemsFailed} failed` : "";
  const early: Partial<Record<JobView["state"], string>> = {
    cancelled: " before it was cancelled",
    expired: " before its deadline passed",
  };
  const fate = early[job.state] ?? took;
  const where = out === undefined ? "" : ` Their text is in ${out}.`;
  return `${read} of ${plural(job.items, noun)} ${done}${fate} by ${plural(busy.length, "node")}${by ? ` (${by})` : ""}${failed}.${where}\n`;
}

/** One page alone is its text and nothing else, for pipes; what pipelines give is a table, or JSON lines for pipes. */
function allText(pages: Pages, columns: number | undefined): string {
  if (pages.outputs.size > 0) return outputsText(outputsIn(pages), columns);
  const read = pages.inOrder.filter((result) => pages.texts.has(result.item));
  const isAlone = pages.kept.size === 1;
  return read.map((one) => `${isAlone ? "" : `== ${plain(one.name)}\n`}${pages.texts.get(one.item)}\n`).join("");
}

function summaryOf(job: JobView, pages: Pages, out: string | undefined) {
  return {
    ...job,
    ...(out === undefined ? {} : { out: resolve(out) }),
    pages: pages.inOrder.map(({ name, node, output, error, item }) => {
      const [text, outputs] = [pages.texts.get(item), pages.outputs.get(item)];
      const shown = outputs !== undefined ? { outputs } : text === undefined ? {} : { text };
      return { name, node, output, error, ...shown };
    }),
  };
}
