import type { Command } from "commander";
import * as models from "../models/index.ts";
import { placement, ruleAdd, ruleList, ruleRemove } from "../rule.ts";
import { tune } from "../tune.ts";
import { type AddCommand, commandsOf, type Run } from "./command.ts";

export function addModels(program: Command, run: Run): void {
  const group = program.command("model").description("the models that this fleet runs");
  const command = commandsOf(group, run);
  command(
    "add <path>",
    "take in an ONNX file with the weights it names, or a folder with all that is in it",
    models.add,
  )
    .option("--name <name>", "what it is called (after the file or the folder)")
    .option("--version <n>", "under this version (the next that is free)");
  command("list", "every version: what it takes and gives, who holds it, where it stands", models.list);
  command("show <model>", "one model (NAME, NAME:VERSION or NAME:ALIAS) and its files", models.show);
  command("remove <model>", "take a version away, unless open jobs want it", models.remove).option(
    "--force",
    "cancel those jobs",
  );
  command("alias <name> <alias> <version>", "what NAME:ALIAS means from now on; version 0 takes it back", models.alias);
  command("export <model> <dir>", "write a model into a folder, for a fleet without a network", models.write);
  command("import <dir>", "take in one exported model, or a folder of several", models.read);
}

/** Of a box: a name, a label, or every one. */
const RULE_WORDS =
  "pin MODEL BOX, only MODEL BOX, forbid MODEL BOX, replicas MODEL 2-3, reserve BOX 2GB, quiet BOX 22:00-07:00, battery BOX 40%, heat BOX 75C; BOX is a name, a label as zone=garage, or '*'";

/** Where models stand, and what people ask of that. */
export function addPlanning(program: Command, command: AddCommand, run: Run): void {
  command("placement", "where each model stands, what is served of its demand, and how that was decided", placement);
  const rule = program.command("rule").description("what you ask of the planner");
  const one = commandsOf(rule, run);
  one("add <words...>", RULE_WORDS, ruleAdd);
  one("list", "every rule, and whom it means now", ruleList);
  one("remove <rule>", "take a rule back", ruleRemove);
}

export function addTune(command: AddCommand): void {
  command(
    "tune <model>",
    "try how a model (NAME:VERSION, or ocr/det, ocr/rec, ocr/cls) is best run on this box, and run it so",
    tune,
  )
    .option("--seconds <n>", "how long it may try, in all (60); real work goes first")
    .option("--tolerance <part>", "how far outputs may be off, as a part of the largest value (0.001)");
}
