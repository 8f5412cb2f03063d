import type { Command } from "commander";
import { type Answer, commandsOf, type Run } from "./command.ts";

type Pipelines = typeof import("../pipelines/index.ts");

/** What reads, checks and draws pipelines is loaded only where it is asked for. */
const by =
  (name: keyof Pipelines): Answer =>
  async (...args) =>
    ((await import("../pipelines/index.ts"))[name] as Answer)(...args);

export function addPipelines(program: Command, run: Run): void {
  const group = program.command("pipeline").description("models and operators that work together");
  const command = commandsOf(group, run);
  command(
    "add <file>",
    "add a definition (YAML or JSON), or an application by its name or folder, its models first. The same again is no new version",
    by("add"),
  );
  command("check <file>", "whether a definition is sound: every fault with its line; nothing is added", by("check"));
  command("list", "every pipeline with what it takes and gives, and the applications that come with Skein", by("list"));
  command("show <pipeline>", "one pipeline (NAME or NAME:VERSION) and its stages", by("show"));
  command("graph <pipeline>", "draw one of the fleet, or in a file, on the terminal", by("graph")).option(
    "--svg <file>",
    "as an SVG picture into this file instead",
  );
  command(
    "remove <pipeline>",
    "take a version (NAME:VERSION) away, unless open jobs want it; its models stay",
    by("remove"),
  ).option("--force", "cancel those jobs first");
}
