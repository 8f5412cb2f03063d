import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { refuse } from "../../shared/checks.ts";
import { SkeinError } from "../../shared/errors.ts";
import { readModelReference } from "../../shared/model.ts";
import type { OnlineAnswer } from "../../shared/online.ts";
import { readPageText } from "../../shared/page-text.ts";
import { filesOf } from "../../shared/pipelines.ts";
import { type CommonOptions, clientFor } from "./options.ts";
import type { SteadyClient } from "./steady-client.ts";
import { plain } from "./table.ts";
import type { World } from "./world.ts";

/** One file, now: prints what the fleet makes of it. Nothing is recorded, so it needs no quorum and leaves no receipt. */
export async function ask(pipeline: string, path: string, options: CommonOptions, world: World): Promise<number> {
  const input = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") throw new SkeinError("FOLDER_MISSING", { path });
    throw error;
  });
  const client = await clientFor(options, world);
  const answer = await client
    .call((one) => one.infer(pipeline, basename(path), input))
    .catch(async (error: unknown) => {
      if (SkeinError.from(error).code === "UNKNOWN_PIPELINE" && (await isPipeline(client, pipeline)))
        refuse(plain(pipeline), "is a pipeline of stages, and only single models are asked: `skein run` runs it");
      throw error;
    });
  if (options.json) world.out(`${JSON.stringify(jsonOf(answer), null, 2)}\n`);
  else world.out(textOf(pipeline, answer.output));
  if (!options.json) world.err(`by ${plain(answer.name)} in ${Math.round(answer.durationMs)} ms\n`);
  return 0;
}

async function isPipeline(client: SteadyClient, text: string): Promise<boolean> {
  const { name } = readModelReference(text);
  return (await client.call((one) => one.pipelines())).some((one) => one.name === name);
}

/** As the pipeline shows it to a person; whatever it cannot show comes out as it is. */
function textOf(pipeline: string, output: Uint8Array): string {
  const text = orNothing(() => filesOf(pipeline).textOf(output)) ?? new TextDecoder().decode(output);
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}

function jsonOf({ output, ...told }: OnlineAnswer): object {
  const page = orNothing(() => readPageText(output));
  if (page) return { ...told, page };
  const response = orNothing((): unknown => JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(output)));
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
