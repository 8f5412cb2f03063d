import type { Command } from "commander";
import { datasetAdd, datasetList, datasetRemove } from "../fit/dataset.ts";
import { fit } from "../fit/fit.ts";
import { type AddCommand, commandsOf, type Run } from "./command.ts";

/** Heads that are trained where the rows lie. */
export function addFitting(program: Command, command: AddCommand, run: Run): void {
  const group = program.command("dataset").description("labelled vectors on this box, which never leave it");
  const one = commandsOf(group, run);
  one("add <name> <file>", 'JSON lines, each {"label": "text", "vector": [numbers]}', datasetAdd);
  one("list", "the data sets of this box", datasetList);
  one("remove <name>", "delete a data set of this box", datasetRemove);
  command("fit <head> <dataset>", "train a softmax head where the rows lie, and register it as a model", fit)
    .option("--optimiser <name>", "adam (a gradient over all rows a round), or sgd (federated averaging)")
    .option("--rounds <n>", "of the one that is taken, in all (90)")
    .option("--local-epochs <n>", "of sgd: times through a box's rows in a round (1)")
    .option("--batch <n>", "of sgd: rows of one step (32)")
    .option("--learning-rate <n>", "instead of searching for it by successive halving")
    .option("--l2 <n>", "the same, of the regularisation")
    .option("--seed <n>", "of the order of rows, with sgd (1)");
}
