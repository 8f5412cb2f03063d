import * as calls from "../calls.ts";
import { drill } from "../drill.ts";
import * as operate from "../operate.ts";
import { recover } from "../recover.ts";
import type { AddCommand } from "./command.ts";

/** The fleet and its boxes: seen, looked after, and taken leave of. */
export function addFleet(command: AddCommand): void {
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
}

export function addDrill(command: AddCommand): void {
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
