import type { Command } from "commander";
import * as pipelines from "../pipelines/index.ts";
import { commandsOf, type Run } from "./command.ts";

export function addPipelines(program: Command, run: Run): void {
  const group = program.command("pipeline").description("models and operators that work together");
  const command = commandsOf(group, run);
  command(
    "add <file>",
    "take in a definition (YAML or JSON), or an application by its name or folder: its models first",
    pipelines.add,
  );
  command("check <file>", "whether a definition holds together, every fault with its line", pipelines.check);
  command("list", "every pipeline: what it takes and gives", pipelines.list);
  command("show <pipeline>", "one pipeline (NAME or NAME:VERSION) and its stages", pipelines.show);
  command("graph <pipeline>", "draw one, of the fleet or in a file", pipelines.graph).option(
    "--svg <file>",
    "as a picture, here",
  );
  command("remove <pipeline>", "take a version (NAME:VERSION) away, unless open jobs want it", pipelines.remove).option(
    "--force",
    "cancel those jobs",
  );
}
