import { Command, CommanderError } from "commander";
import { SkeinError } from "../../shared/errors.ts";
import { AGENT_VERSION } from "../../shared/version.ts";
import { commandsOf, several } from "./commands/command.ts";
import { addFitting } from "./commands/fitting.ts";
import { addDrill, addFleet } from "./commands/fleet.ts";
import { addModels, addPlanning, addTune } from "./commands/models.ts";
import { addPipelines } from "./commands/pipelines.ts";
import { addService, addSetup } from "./commands/setup.ts";
import { addWork } from "./commands/work.ts";
import { demo } from "./demo/index.ts";
import { plain } from "./table.ts";
import type { World } from "./world.ts";

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
    else world.err(`skein: ${known.message.split("\n").map(plain).join("\n")}\n`);
    if (known.code === "INTERNAL" && error instanceof Error && world.env.SKEIN_DEBUG) world.err(`${error.stack}\n`);
    return known.exitCode;
  }
}

/** The commands in the order in which the help tells them. */
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
  const run = { world, end };
  const command = commandsOf(program, run);
  addSetup(command);
  addWork(command);
  addFleet(command);
  addModels(program, run);
  addPipelines(program, run);
  addPlanning(program, command, run);
  addDrill(command);
  addTune(command);
  addFitting(program, command, run);
  command("demo", "three agents on this machine, a real job, and the leader killed in the middle", demo).option(
    "--once",
    "end after the table",
  );
  addService(program, run);
  return program;
}
