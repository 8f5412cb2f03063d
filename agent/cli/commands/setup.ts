import type { Command } from "commander";
import * as calls from "../calls.ts";
import { install, uninstall } from "../service.ts";
import { type AddCommand, type Answer, commandsOf, type Run, several } from "./command.ts";

// These load the whole agent, which takes a small box a second; the other commands do without.
const init: Answer = async (...args) => (await import("../found.ts")).init(...(args as [never, never]));
const join: Answer = async (...args) => (await import("../found.ts")).join(...(args as [never, never, never]));
const probe: Answer = async (...args) => (await import("../probe.ts")).probe(...(args as [never, never]));
const start: Answer = async (...args) => (await import("../start.ts")).start(...(args as [never, never]));

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

/** Making a fleet, joining it, and this box's agent. */
export function addSetup(command: AddCommand): void {
  withSetup(command("init", "make a fleet, with this box as its first node", init)).option(
    "--fleet <name>",
    "the fleet's name",
    "home",
  );
  withSetup(command("join <token>", "bring this box into a fleet", join)).option(
    "--witness",
    "only vote: this box keeps no pages, no log and runs no models; for a fleet of two",
  );
  command("start", "run this box's agent until Ctrl-C", start)
    .option("--log-level <level>", "debug, info, warn, error")
    .option(
      "--operators <dir>",
      "own operators of this box, loaded into its executors (default: operators in its data folder)",
    );
  command("probe", "what this box is: what was found, its firmware profile and why, where they disagree", probe);
  command("stop", "stop the agent in order", calls.stop);
  command("invite", "a one-time token that brings one box in", calls.invite).option(
    "--minutes <n>",
    "how long it lives",
  );
}

export function addService(program: Command, run: Run): void {
  const group = program.command("service").description("the agent as a systemd service of this box");
  const command = commandsOf(group, run);
  command("install", "write the unit, enable and start it", install)
    .option("--print", "only show what would be done")
    .option("--user <name>", "user to run as (whoever called sudo)");
  command("uninstall", "stop it and remove the unit", uninstall).option("--print", "only show what would be done");
}
