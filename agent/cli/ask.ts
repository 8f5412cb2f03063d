import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { refuse } from "../../shared/checks.ts";
import type { OnlineAnswer } from "../../shared/online.ts";
import { readPageText } from "../../shared/page-text.ts";
import { type CommonOptions, clientFor } from "./options.ts";
import type { OutputForm } from "./pages.ts";
import { Progress } from "./progress.ts";
import { type Runnable, runnableNamed } from "./runnable.ts";
import { plain } from "./table.ts";
import type { World } from "./world.ts";

/** One item, now: prints what the fleet makes of it. Nothing is recorded, so it needs no quorum and leaves no receipt. */
export async function ask(pipeline: string, path: string, options: CommonOptions, world: World): Promise<number> {
  const client = await clientFor(options, world);
  const progress = new Progress(world);
  const what = await runnableNamed(pipeline, client, { world, progress });
  progress.clear();
  const { name, input } = await theOne(path, what);
  const answer = await client.call((one) => one.infer(what.pipeline, name, input));
  if (options.json) world.out(`${JSON.stringify(jsonOf(answer, what.form), null, 2)}\n`);
  else world.out(textOf(answer.output, what.form));
  if (!options.json) world.err(`by ${plain(answer.name)} in ${Math.round(answer.durationMs)} ms\n`);
  return 0;
}

/** @throws BAD_REQUEST where the file or folder holds several items; FOLDER_MISSING and whatever is wrong with it */
async function theOne(path: string, { pipeline, gather }: Runnable): Promise<{ name: string; input: Uint8Array }> {
  const [item, ...others] = await gather([path]);
  if (!item || others.length > 0)
    refuse(plain(path), `holds ${others.length + 1} items, and one is asked; \`skein run ${pipeline} PATH\` takes all`);
  return { name: basename(item.path), input: await (item.content?.() ?? readFile(item.path)) };
}

/** As it is shown to a person; what cannot be shown comes out as it is. */
function textOf(output: Uint8Array, form: OutputForm): string {
  const text = orNothing(() => form.textOf(output)) ?? new TextDecoder().decode(output);
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}

function jsonOf({ output, ...told }: OnlineAnswer, form: OutputForm): object {
  const page = orNothing(() => readPageText(output));
  if (page) return { ...told, page };
  const response = form.jsonOf
    ? form.jsonOf(output)
    : orNothing((): unknown => JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(output)));
  return response === undefined ? { ...told, output: Buffer.from(output).toString("base64") } : { ...told, response };
}

/** Undefined for what is not of that kind. */
function orNothing<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
