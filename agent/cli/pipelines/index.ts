/** `skein pipeline`: taken in from a file or an application, checked, shown, drawn, and taken away. */
import { readFile } from "node:fs/promises";
import { SkeinError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { type PipelineDefinition, pipelineReference } from "../../../shared/pipeline/definition.ts";
import { print } from "../calls.ts";
import { writeWhole } from "../files.ts";
import { modelClient } from "../models/add.ts";
import type { CommonOptions } from "../options.ts";
import { Progress } from "../progress.ts";
import type { SteadyClient } from "../steady-client.ts";
import { plain } from "../table.ts";
import type { World } from "../world.ts";
import { addApplication } from "./add.ts";
import { type Application, applicationAt, bundledApplications } from "./applications.ts";
import { checkWith, definitionOf } from "./check.ts";
import { tellingFaults } from "./faults.ts";
import { graphOf } from "./graph.ts";
import { checkedText, describePipeline, describePipelines } from "./text.ts";

export async function add(named: string, options: CommonOptions, world: World): Promise<number> {
  const application = await applicationAt(named);
  const text = await definitionText(application);
  return tellingFaults({ where: application.file, text, isJson: options.json ?? false }, world, async () => {
    // What is no pipeline anywhere is told before models are sent; the fleet checks the rest with them.
    definitionOf(text);
    const client = await modelClient(options, world);
    const added = await addApplication(client, application, { world, progress: new Progress(world) });
    const fate = added.existing ? "is there already, the same" : "is added";
    const run = `\`skein run ${plain(added.pipeline)} FILES...\` runs it.`;
    return print(options, world, added, `${plain(added.pipeline)} ${fate}. ${run}\n`);
  });
}

export async function check(named: string, options: CommonOptions, world: World): Promise<number> {
  const application = await applicationAt(named);
  const text = await definitionText(application);
  return tellingFaults({ where: application.file, text, isJson: options.json ?? false }, world, async () => {
    const client = await modelClient(options, world);
    const answer = await checkWith(client, text, application);
    return print(options, world, answer, checkedText(application.file, definitionOf(text), answer));
  });
}

async function definitionText({ file }: Pick<Application, "file">): Promise<string> {
  const bytes = await readFile(file);
  const [actual, limit] = [`${bytes.length} bytes`, `${LIMITS.pipelineBytesMax} bytes`];
  if (bytes.length > LIMITS.pipelineBytesMax) throw new SkeinError("TOO_LARGE", { what: file, actual, limit });
  return bytes.toString("utf8");
}

export async function list(options: CommonOptions, world: World): Promise<number> {
  const client = await modelClient(options, world);
  const pipelines = await client.call((one) => one.pipelines());
  return print(options, world, pipelines, describePipelines(pipelines, await bundledApplications()));
}

export async function show(name: string, options: CommonOptions, world: World): Promise<number> {
  const client = await modelClient(options, world);
  const detail = await client.call((one) => one.pipeline(name));
  return print(options, world, detail, describePipeline(detail));
}

export async function remove(
  pipeline: string,
  options: CommonOptions & { force?: boolean },
  world: World,
): Promise<number> {
  const client = await modelClient(options, world);
  const answer = await client.call((one) => one.pipelineRemove(pipeline, options.force ? "true" : ""));
  const jobs = answer.cancelled.map(plain).join(", ");
  const cancelled = jobs === "" ? "" : ` Cancelled with it: ${jobs}.`;
  return print(options, world, answer, `${plain(answer.removed)} is removed; its models stay.${cancelled}\n`);
}

/** The width to draw for where nobody says how wide the terminal is. */
const COLUMNS = 100;

export async function graph(named: string, options: CommonOptions & { svg?: string }, world: World): Promise<number> {
  const client = await modelClient(options, world);
  const source = await sourceOf(named, client);
  return tellingFaults({ ...source, isJson: options.json ?? false }, world, async () => {
    const drawn = graphOf("definition" in source ? source.definition : definitionOf(source.text));
    if (options.svg !== undefined) {
      const { svgOf } = await import("./svg.ts");
      await writeWhole(options.svg, svgOf(drawn));
      return print(options, world, { svg: options.svg }, `${plain(drawn.title)} is drawn: ${plain(options.svg)}\n`);
    }
    if (options.json) return print(options, world, drawn, "");
    const { terminalText } = await import("./terminal.ts");
    return print(options, world, drawn, terminalText(drawn, world.outColumns() ?? COLUMNS));
  });
}

type Source = { where: string; text: string } & ({ definition: PipelineDefinition } | object);

/** A pipeline of the fleet, unless a file or a folder is meant; an application without a fleet that knows it. */
async function sourceOf(named: string, client: SteadyClient): Promise<Source> {
  const local = await applicationAt(named).catch((error: unknown) => SkeinError.from(error));
  if (!(local instanceof SkeinError) && local.name !== named)
    return { where: local.file, text: await definitionText(local) };
  try {
    const { definition } = await client.call((one) => one.pipeline(named));
    return { where: pipelineReference({ version: 1, ...definition }), text: "", definition };
  } catch (error) {
    const { code } = SkeinError.from(error);
    const isNotThere = code === "AGENT_UNREACHABLE" || code === "UNKNOWN_PIPELINE";
    if (local instanceof SkeinError || !isNotThere) throw error;
    return { where: local.file, text: await definitionText(local) };
  }
}
