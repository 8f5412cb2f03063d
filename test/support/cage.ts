/**
 * A control group (cgroup v1) for each box of a test: a share of the processor that can be changed while it runs, and a
 * freezer that stops everything in it at once. Needs root.
 */
import { execFile } from "node:child_process";
import { mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);
const ROOT = "/sys/fs/cgroup";
const PERIOD_US = 100_000;
/** The most that the kernel takes; of others 1,024. */
const SHARES_MAX = 262_144;
/** The kernel refuses to remove a group until the last of its processes is gone for good. */
const REMOVE_AGAIN_MS = 50;
const REMOVE_TRIES = 100;

export class Cage {
  readonly #name: string;

  private constructor(name: string) {
    this.#name = name;
  }

  /** Why there can be none here; undefined if there can. */
  static async whyNot(): Promise<string | undefined> {
    if (process.getuid?.() !== 0) return "control groups need root";
    try {
      const cage = await Cage.make("probe");
      await cage.limit(1);
      await cage.remove();
      return undefined;
    } catch (error) {
      return `control groups cannot be made here: ${(error as Error).message}`;
    }
  }

  static async make(box: string): Promise<Cage> {
    const cage = new Cage(`skein-${process.pid}-${box}`);
    for (const folder of cage.#folders()) await mkdir(folder);
    return cage;
  }

  /** Goes before a command to run it in here, with everything it starts. */
  get prefix(): string[] {
    const enter = this.#folders().map((folder) => `echo $$ > ${folder}/cgroup.procs`);
    return ["sh", "-c", `${enter.join("; ")}; exec "$@"`, "cage"];
  }

  /** How many cores it may use, all its processes together; may be less than one. */
  async limit(cores: number): Promise<void> {
    await writeFile(join(ROOT, "cpu", this.#name, "cpu.cfs_period_us"), `${PERIOD_US}`);
    await writeFile(join(ROOT, "cpu", this.#name, "cpu.cfs_quota_us"), `${Math.round(cores * PERIOD_US)}`);
  }

  /** From now on it gets what it may use before all others on this machine but those that are preferred too. */
  async prefer(): Promise<void> {
    await writeFile(join(ROOT, "cpu", this.#name, "cpu.shares"), `${SHARES_MAX}`);
  }

  async freeze(): Promise<void> {
    await this.#setFreezer("FROZEN");
  }

  async thaw(): Promise<void> {
    await this.#setFreezer("THAWED");
  }

  /** Whatever ran in it must have ended, or is about to. */
  async remove(): Promise<void> {
    for (const folder of this.#folders())
      for (let tries = 1; ; tries++) {
        try {
          await rmdir(folder);
          break;
        } catch (error) {
          if (tries === REMOVE_TRIES) throw error;
          await sleep(REMOVE_AGAIN_MS);
        }
      }
  }

  async #setFreezer(state: "FROZEN" | "THAWED"): Promise<void> {
    const file = join(ROOT, "freezer", this.#name, "freezer.state");
    await writeFile(file, state);
    while ((await readFile(file, "utf8")).trim() !== state) await sleep(1);
  }

  #folders(): string[] {
    return ["cpu", "freezer"].map((controller) => join(ROOT, controller, this.#name));
  }
}

/** A run that was killed leaves its groups behind. */
export async function removeCages(): Promise<void> {
  for (const controller of ["cpu", "freezer"]) {
    const { stdout } = await run("find", [join(ROOT, controller), "-maxdepth", "1", "-name", "skein-*"]);
    for (const folder of stdout.split("\n").filter(Boolean)) {
      const pid = Number(folder.match(/skein-(\d+)-/)?.[1]);
      if (pid !== process.pid && !(await isAlive(pid))) await rmdir(folder).catch(() => {});
    }
  }
}

const isAlive = (pid: number): Promise<boolean> =>
  readFile(`/proc/${pid}/stat`).then(
    () => true,
    () => false,
  );
