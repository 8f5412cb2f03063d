/** `skein dataset`: labelled vectors on the box whose agent is asked. They never leave it. */
import { createReadStream } from "node:fs";
import { SkeinError } from "../../../shared/errors.ts";
import type { DatasetView } from "../../../shared/fitting/dataset.ts";
import { print } from "../calls.ts";
import { type CommonOptions, clientFor } from "../options.ts";
import { plain, table } from "../table.ts";
import type { World } from "../world.ts";

/** To one agent alone: put on another box, rows would have left this one. */
export async function datasetAdd(name: string, file: string, options: CommonOptions, world: World): Promise<number> {
  const client = await clientFor(options, world);
  const view = await client.call((one) => one.putDataset(name, chunksOf(file)));
  return print(options, world, view, `${describe(view)} They stay on the box of ${client.url}.\n`);
}

async function* chunksOf(file: string): AsyncIterable<Uint8Array> {
  try {
    yield* createReadStream(file);
  } catch (error) {
    const reason = `${file} cannot be read: ${error instanceof Error ? error.message : error}`;
    throw new SkeinError("BAD_REQUEST", { reason }, { cause: error });
  }
}

export async function datasetList(options: CommonOptions, world: World): Promise<number> {
  const views = await (await clientFor(options, world)).call((one) => one.datasets());
  const rows = views.map((view) => [view.name, `${view.rows}`, `${view.dimensions}`, labelsText(view)]);
  const text = views.length === 0 ? "No data set on this box.\n" : table(HEAD, rows, ["ROWS", "NUMBERS"]);
  return print(options, world, views, text);
}
const HEAD = ["NAME", "ROWS", "NUMBERS", "LABELS"];

export async function datasetRemove(name: string, options: CommonOptions, world: World): Promise<number> {
  const removed = await (await clientFor(options, world)).call((one) => one.datasetRemove(name));
  return print(options, world, removed, `${plain(removed.removed)} is deleted from this box.\n`);
}

const describe = (view: DatasetView): string =>
  `${plain(view.name)}: ${view.rows} rows of ${view.dimensions} numbers, ${view.labels.length} labels.`;

const labelsText = ({ labels }: DatasetView): string =>
  labels.length > 6
    ? `${labels.slice(0, 5).map(plain).join(", ")} and ${labels.length - 5} more`
    : labels.map(plain).join(", ");
