import { ask } from "../ask.ts";
import * as calls from "../calls.ts";
import { explain } from "../explain.ts";
import { receipt, verify } from "../prove.ts";
import { results, run } from "../run.ts";
import { why } from "../why.ts";
import { type AddCommand, several } from "./command.ts";

/** Work that is handed in, what comes of it, and why it went so. */
export function addWork(command: AddCommand): void {
  command(
    "run <pipeline> [paths...]",
    "hand in folders or files and wait for the result. ocr takes PNG, JPEG or WebP; a model requests as .json or .bin; a pipeline .csv or .jsonl with a column or key for each input, or a file an item. An application that comes with Skein (skein pipeline list) is added by itself; without PATHS it says what to try",
    run,
  )
    .option(
      "--out <dir>",
      "write NAME.txt and NAME.json for each item here; without it a table goes to the terminal, JSON lines to a pipe (ocr and models: text)",
    )
    .option("--key <key>", "idempotency key: a second run under it is the same job")
    .option("--priority <priority>", "low, normal or high: whose items go first (normal)")
    .option("--copies <n>", "nodes that hold each input and each result (the setting `copies`)")
    .option("--deadline <time>", "what is not done by then is not done any more: 90s, 30m, 2h, 1d (none)")
    .option(
      "--cut <cut>",
      "of a pipeline: whole (an item on one node), stages (over several), or auto, what is foretold to be quicker (auto)",
    )
    .option("--detach", "print the job's id and do not wait");
  command(
    "ask <pipeline> <file>",
    "one item through ocr, a model or a pipeline, now: nothing is recorded, so it works without a quorum too",
    ask,
  );
  command("jobs", "all jobs, newest first", calls.jobs);
  command("job <id>", "one job: how far it is, each stage and node, and why", calls.job);
  command("results <id>", "what is recorded of a job so far", results).option("--out <dir>", "write them here");
  command("receipt <id>", "who computed what, where it is recorded, where the copies are", receipt).option(
    "--out <file>",
    "write it as a signed document that `skein verify --receipt` checks anywhere",
  );
  command("verify [id]", "read every copy back, check every signature; exit code 0 only if all holds", verify)
    .option("--recompute <n>", "compute so many items again, drawn by chance, each on a node that did not make it")
    .option("--receipt <file>", "check a receipt: by itself, and against the fleet if an agent answers");
  command("why <id> [input]", "why a job, one of its shards (ID/7.2) or one of its inputs went as it did", why);
  command(
    "explain <what>",
    "why a job (id) was split as it was, where a model (name) stands, or what a node (name) was given",
    explain,
  )
    .option("--why-not <node>", "why this node got no more, or nothing")
    .option(
      "--what-if <change>",
      '"add pi5", "add like NODE", "remove NODE", "memory NODE 8GB"; may be given again',
      several,
    );
  command("pause <id>", "hand out nothing more of a job until it is resumed; what runs ends", calls.pause);
  command("resume <id>", "go on with a job that was paused", calls.resume);
  command("cancel <id>", "stop what is left of a job", calls.cancel);
  command("forget <ids...>", "let go of ended jobs, their inputs and their results", calls.forget);
}
