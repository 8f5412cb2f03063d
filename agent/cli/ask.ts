import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { SkeinError } from "../../shared/errors.ts";
import type { OnlineAnswer } from "../../shared/online.ts";
import { readPageText } from "../../shared/page-text.ts";
import { type CommonOptions, clientFor } from "./options.ts";
import { plain } from "./table.ts";
import type { World } from "./world.ts";

/** One file, now: prints what the fleet makes of it. Nothing is recorded, so it needs no quorum and leaves no receipt. */
export async function ask(pipeline: string, path: string, options: CommonOptions, world: World): Promise<number> {
  const input = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") throw new SkeinError("FOLDER_MISSING", { path });
    throw error;
  });
  const client = await clientFor(options, world);
  const answer = await client.call((one) => one.infer(pipeline, basename(path), input));
  if (options.json) world.out(`${JSON.stringify(jsonOf(answer), null, 2)}\n`);
  else world.out(textOf(answer.output));
  if (!options.json) world.err(`by ${plain(answer.name)} in ${Math.round(answer.durationMs)} ms\n`);
  return 0;
}

/** A page's text; whatever is no page comes out as it is. */
function textOf(output: Uint8Array): string {
  const text = pageIn(output)?.text ?? new TextDecoder().decode(output);
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}

function jsonOf({ output, ...told }: OnlineAnswer): object {
  const page = pageIn(output);
  return page ? { ...told, page } : { ...told, output: Buffer.from(output).toString("base64") };
}

function pageIn(output: Uint8Array): ReturnType<typeof readPageText> | undefined {
  try {
    return readPageText(output);
  } catch {
    return undefined;
  }
}
