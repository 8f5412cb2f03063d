/** `skein service`: the agent as a systemd service of this box. */
import { execFile } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { checkText } from "../../shared/checks.ts";
import { SkeinError } from "../../shared/errors.ts";
import { writeWhole } from "./files.ts";
import { readHome } from "./home.ts";
import type { CommonOptions } from "./options.ts";
import { unitText } from "./unit.ts";
import type { World } from "./world.ts";

export interface ServiceOptions extends CommonOptions {
  user?: string;
  print?: boolean;
}

/** The box, as far as installing a service touches it. Tests bring their own. */
export interface Machine {
  isRoot: boolean;
  hasSystemd: boolean;
  unitFolder: string;
  systemctl(...args: string[]): Promise<void>;
}

const UNIT = "skein.service";
const SERVICE_DATA = "/var/lib/skein";

export const systemMachine = (): Machine => ({
  isRoot: process.getuid?.() === 0,
  // sd_booted(3)
  hasSystemd: existsSync("/run/systemd/system"),
  unitFolder: "/etc/systemd/system",
  async systemctl(...args) {
    try {
      await promisify(execFile)("systemctl", args, { timeout: 60_000 });
    } catch (error) {
      const said = (error as { stderr?: string }).stderr?.trim() || (error as Error).message;
      throw new SkeinError("INTERNAL", { reason: `systemctl ${args.join(" ")}: ${said}` }, { cause: error });
    }
  },
});

/** @throws NOT_INITIALISED if the data folder has no fleet, NEEDS_ROOT, BAD_REQUEST where there is no systemd */
export async function install(options: ServiceOptions, world: World, machine = systemMachine()): Promise<number> {
  const dataDir = resolve(options.data ?? SERVICE_DATA);
  const text = unitText({ ...placeOf(dataDir), dataDir, user: userOf(options, world) });
  if (options.print) {
    world.out(text);
    return 0;
  }
  refuseIfUnable("skein service install", machine);
  await readHome(dataDir);
  await writeWhole(join(machine.unitFolder, UNIT), text);
  await machine.systemctl("daemon-reload");
  await machine.systemctl("enable", UNIT);
  // Not `enable --now`: that would leave an agent of an older unit running.
  await machine.systemctl("restart", UNIT);
  world.out(
    "The agent runs, and starts with the box. `journalctl -u skein -f` shows its log, `skein status` the fleet.\n",
  );
  return 0;
}

export async function uninstall(options: ServiceOptions, world: World, machine = systemMachine()): Promise<number> {
  const path = join(machine.unitFolder, UNIT);
  if (options.print) {
    world.out(`systemctl disable --now ${UNIT}\nrm ${path}\nsystemctl daemon-reload\n`);
    return 0;
  }
  refuseIfUnable("skein service uninstall", machine);
  if (!existsSync(path)) {
    world.out("There is no Skein service on this box.\n");
    return 0;
  }
  await machine.systemctl("disable", "--now", UNIT);
  await rm(path);
  await machine.systemctl("daemon-reload");
  world.out(`The service is gone. The data stays in ${resolve(options.data ?? SERVICE_DATA)}.\n`);
  return 0;
}

function refuseIfUnable(what: string, machine: Machine): void {
  if (!machine.hasSystemd)
    throw new SkeinError("BAD_REQUEST", { reason: `${what} needs systemd, which does not run here; see --print` });
  if (!machine.isRoot) throw new SkeinError("NEEDS_ROOT", { what });
}

/** Whoever called sudo owns what was installed; only root itself gets a service of root's, and that one without capabilities. */
function userOf(options: ServiceOptions, world: World): string {
  const user = checkText(options.user ?? world.env.SUDO_USER ?? world.env.USER ?? "root", "--user", 64);
  if (/^[a-z_][\w-]*\$?$/i.test(user)) return user;
  throw new SkeinError("BAD_REQUEST", { reason: `--user ${JSON.stringify(user)} is not a user's name` });
}

/** This very program, run by this very Node. */
function placeOf(dataDir: string): { command: string[]; readsHome: boolean } {
  const script = realpathSync(process.argv[1] ?? fileURLToPath(new URL("./skein.js", import.meta.url)));
  const node = realpathSync(process.execPath);
  const readsHome = [script, node, dataDir].some((path) => path.startsWith("/home/") || path.startsWith("/root/"));
  return { command: [node, script, "start"], readsHome };
}
