import type { Command } from "commander";
import { datasetAdd, datasetList, datasetRemove } from "../fit/dataset.ts";
import { fit } from "../fit/fit.ts";
import { type AddCommand, commandsOf, type Run } from "./command.ts";

/** Heads that are trained where the rows lie. */
export function addFitting(program: Command, command: AddCommand, run: Run): void {
  const group = program
    .command("dataset")
    .description("labelled vectors to fit a head on; they never leave the box whose agent is asked");
  const one = commandsOf(group, run);
  one("add <name> <file>", 'JSON lines, each {"label": "text", "vector": [numbers]}', datasetAdd);
  one("list", "the data sets of this box", datasetList);
  one("remove <name>", "delete a data set of this box", datasetRemove);
  command(
    "fit <head> <dataset>",
    "train a softmax head on the rows that each box has under DATASET (skein dataset add), and register it as the model HEAD. Only weights and names of labels travel; boxes may leave meanwhile. Name several agents with --api, and the one that is asked may die too",
    fit,
  )
    .option("--optimiser <name>", "adam: a gradient over all rows a round; or sgd: federated averaging (adam)")
    .option("--rounds <n>", "rounds of the best candidate, in all (90)")
    .option("--local-epochs <n>", "of sgd: times through a box's rows in a round (1)")
    .option("--batch <n>", "of sgd: rows of one step (32)")
    .option(
      "--learning-rate <n>",
      "this one alone; without it several are tried, and the best are kept (successive halving)",
    )
    .option("--l2 <n>", "the same for the regularisation")
    .option("--seed <n>", "of sgd: of the order of rows (1)");
}
