import { Command, CommanderError } from "commander";
import { SkeinError } from "../../shared/errors.ts";
import { AGENT_VERSION } from "../../shared/version.ts";
import { ask } from "./ask.ts";
import * as calls from "./calls.ts";
import { demo } from "./demo/index.ts";
import { drill } from "./drill.ts";
import { explain } from "./explain.ts";
import * as models from "./models/index.ts";
import * as operate from "./operate.ts";
import { receipt, verify } from "./prove.ts";
import { recover } from "./recover.ts";
import { placement, ruleAdd, ruleList, ruleRemove } from "./rule.ts";
import { results, run } from "./run.ts";
import { install, uninstall } from "./service.ts";
import { plain } from "./table.ts";
import { tune } from "./tune.ts";
import { why } from "./why.ts";
import type { World } from "./world.ts";

/** Gets the command's arguments, its options, and the world. */
type Answer = (...args: never[]) => Promise<number>;

/** What a wrongly asked command ends with, as ERRORS has it. */
const ASKED_WRONGLY = 2;

/** Runs one command; the answer is the exit code. Never throws. */
export async function main(argv: readonly string[], world: World): Promise<number> {
  let exitCode = 0;
  const program = build(world, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(argv[0] === "--version" ? ["-V"] : [...argv], { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : ASKED_WRONGLY;
    const known = SkeinError.from(error);
    if (argv.includes("--json")) world.out(`${JSON.stringify(known)}\n`);
    else world.err(`skein: ${plain(known.message)}\n`);
    if (known.code === "INTERNAL" && error instanceof Error && world.env.SKEIN_DEBUG) world.err(`${error.stack}\n`);
    return known.exitCode;
  }
}

// These load the whole agent, which takes a small box a second; the other commands do without.
const init: Answer = async (...args) => (await import("./found.ts")).init(...(args as [never, never]));
const join: Answer = async (...args) => (await import("./found.ts")).join(...(args as [never, never, never]));
const probe: Answer = async (...args) => (await import("./probe.ts")).probe(...(args as [never, never]));
const start: Answer = async (...args) => (await import("./start.ts")).start(...(args as [never, never]));

const several = (value: string, before: string[] = []): string[] => [...before, value];

function build(world: World, end: (exitCode: number) => void): Command {
  const program = new Command("skein")
    .description("Small fleets of edge boxes that share inference work and lose nothing when one is unplugged.")
    // Behind `skein model add`, --version is the model's.
    .version(AGENT_VERSION, "-V", "print Skein's version; so does --version alone")
    .option("--data <dir>", "data folder ($SKEIN_DATA, else ~/.skein)")
    .option("--api <url>", "agent to talk to; name several to outlive one of them", several)
    .option("--token <token>", "for an agent that is not on this box ($SKEIN_TOKEN)")
    .option("--json", "print answers as JSON")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: (text) => world.out(text), writeErr: (text) => world.err(text) })
    .exitOverride();
  const command = commandsOf(program, world, end);
  addSetup(command);
  addWork(command);
  command("status", "the fleet in a few lines", calls.status);
  command("nodes", "every node: part, presence, measured rate, queue, heat", calls.nodes);
  command("remove <node>", "take a node out of the fleet, by name or id", calls.remove);
  command("set <name> <value>", 'set a value that every box agrees on; "" takes it away', calls.set);
  command("get <name>", "a setting's value, as the fleet has agreed by now", calls.get);
  command("settings", "every setting", calls.settings);
  command("drain [node]", "empty a node (this box) before it is switched off; it stays a member", operate.drain).option(
    "--undo",
    "let it take part in full again",
  );
  command(
    "label <node> <labels...>",
    "say something of a node: zone=garage, or zone- to take it back; copies go to different zones",
    operate.label,
  );
  command("transfer-leader [node]", "hand the leadership to a node, or to the best there is", operate.transferLeader);
  command(
    "leave",
    "take this box out of the fleet for good, its copies made anew elsewhere first",
    operate.leave,
  ).option("--force", "wait neither for what runs here nor for the copies");
  command("recover", "go on without boxes that are gone for good, when too few are left for a quorum", recover).option(
    "--yes <fleet>",
    "the fleet's name, instead of typing it when asked",
  );
  addModels(program, world, end);
  addPlanning(program, command, world, end);
  addDrill(command);
  command(
    "tune <model>",
    "try how a model (NAME:VERSION, or ocr/det, ocr/rec, ocr/cls) is best run on this box, and run it so",
    tune,
  )
    .option("--seconds <n>", "how long it may try, in all (60); real work goes first")
    .option("--tolerance <part>", "how far outputs may be off, as a part of the largest value (0.001)");
  command("demo", "three agents on this machine, a real job, and the leader killed in the middle", demo).option(
    "--once",
    "end after the table",
  );
  addService(program, world, end);
  return program;
}

/** A way to add commands to the program, or to one that is a group of them. */
function commandsOf(parent: Command, world: World, end: (exitCode: number) => void): AddCommand {
  return (usage, says, answer) => {
    // Commander hands over the arguments, the command's own options, and the command, which knows the options of all.
    const act = async (...args: unknown[]): Promise<void> => {
      const own = args.pop() as Command;
      args.splice(-1, 1, own.optsWithGlobals(), world);
      end(await answer(...(args as never[])));
    };
    return parent.command(usage).description(says).action(act);
  };
}

type AddCommand = (usage: string, says: string, answer: Answer) => Command;

/** How a box is set up; kept in its data folder. */
const withSetup = (command: Command): Command =>
  command
    .option("--name <node>", "this box's name (its host name)")
    .option("--port <port>", "TCP port for the other boxes", "7400")
    .option("--host <address>", "listen for other boxes on this address only; may be given again (0.0.0.0)", several)
    .option("--no-beacon", "do not call out for the other boxes on the LAN; dial known addresses only")
    .option("--api-port <port>", "port of the API and the dashboard", "7401")
    .option("--api-host <address>", "address of the API; beyond loopback it asks for a token", "127.0.0.1")
    .option(
      "--executors <n>",
      "inference processes; 0 for a box that votes, holds copies and runs nothing (what the firmware profile says)",
    );

function addSetup(command: AddCommand): void {
  withSetup(command("init", "make a fleet, with this box as its first node", init)).option(
    "--fleet <name>",
    "the fleet's name",
    "home",
  );
  withSetup(command("join <token>", "bring this box into a fleet", join)).option(
    "--witness",
    "only vote: this box keeps no pages, no log and runs no models; for a fleet of two",
  );
  command("start", "run this box's agent until Ctrl-C", start).option(
    "--log-level <level>",
    "debug, info, warn, error",
  );
  command("probe", "what this box is: what was found, its firmware profile and why, where they disagree", probe);
  command("stop", "stop the agent in order", calls.stop);
  command("invite", "a one-time token that brings one box in", calls.invite).option(
    "--minutes <n>",
    "how long it lives",
  );
}

function addWork(command: AddCommand): void {
  command(
    "run <pipeline> <paths...>",
    "hand in folders or files (ocr: PNG, JPEG, WebP; a model: requests as .json or .bin) and wait for the result",
    run,
  )
    .option("--out <dir>", "write NAME.txt and NAME.json for each page here; without it, text goes to stdout")
    .option("--key <key>", "idempotency key: a second run under it is the same job")
    .option("--priority <priority>", "low, normal or high: whose pages go first (normal)")
    .option("--copies <n>", "nodes that hold each page and each result (the setting `copies`)")
    .option("--deadline <time>", "what is not done by then is not done any more: 90s, 30m, 2h, 1d (none)")
    .option("--detach", "print the job's id and do not wait");
  command("ask <pipeline> <file>", "one file, now: nothing is recorded, so it works without a quorum too", ask);
  command("jobs", "all jobs, newest first", calls.jobs);
  command("job <id>", "one job: how far it is, each node's share and why", calls.job);
  command("results <id>", "the pages recorded so far", results).option("--out <dir>", "write them here");
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

/** Of a box: a name, a label, or every one. */
const RULE_WORDS =
  "pin MODEL BOX, only MODEL BOX, forbid MODEL BOX, replicas MODEL 2-3, reserve BOX 2GB, quiet BOX 22:00-07:00, battery BOX 40%, heat BOX 75C; BOX is a name, a label as zone=garage, or '*'";

function addPlanning(program: Command, command: AddCommand, world: World, end: (exitCode: number) => void): void {
  command("placement", "where each model stands, what is served of its demand, and how that was decided", placement);
  const rule = program.command("rule").description("what you ask of the planner");
  const one = (usage: string, says: string, answer: Answer): Command =>
    rule
      .command(usage)
      .description(says)
      .action(async (...args: unknown[]) => {
        const own = args.pop() as Command;
        args.splice(-1, 1, own.optsWithGlobals(), world);
        end(await answer(...(args as never[])));
      });
  one("add <words...>", RULE_WORDS, ruleAdd);
  one("list", "every rule, and whom it means now", ruleList);
  one("remove <rule>", "take a rule back", ruleRemove);
}

function addDrill(command: AddCommand): void {
  command("drill [history]", "rehearse losses on the live fleet, or compare the rehearsals that are kept", drill)
    .option("--kill-leader", "kill the agent that leads; it is started again")
    .option("--kill-worker", "kill an agent that does not lead")
    .option("--freeze", "an agent stands still, with its links open")
    .option("--partition", "a box is cut off, as by a pulled cable")
    .option("--slow-link", "a box gets a bad link")
    .option("--fill-disk", "a box takes its disk for full")
    .option("--all", "all of these, one after the other")
    .option("--unplug", "wait for you to pull a plug, and measure that")
    .option("--seconds <n>", "how long each fault is held (5)")
    .option("--local", "on a throw-away fleet of three on this machine")
    .option("--yes", "do not ask first");
}

function addModels(program: Command, world: World, end: (exitCode: number) => void): void {
  const group = program.command("model").description("the models that this fleet runs");
  const command = commandsOf(group, world, end);
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

function addService(program: Command, world: World, end: (exitCode: number) => void): void {
  const service = program.command("service").description("the agent as a systemd service of this box");
  const commands = { install, uninstall };
  const says = { install: "write the unit, enable and start it", uninstall: "stop it and remove the unit" };
  for (const name of ["install", "uninstall"] as const) {
    const act = async (_options: unknown, own: Command): Promise<void> =>
      end(await commands[name](own.optsWithGlobals(), world));
    const one = service.command(name).description(says[name]).option("--print", "only show what would be done");
    if (name === "install") one.option("--user <name>", "user to run as (whoever called sudo)");
    one.action(act);
  }
}
