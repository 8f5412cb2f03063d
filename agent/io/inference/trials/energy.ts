import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** What the processor packages have used, as far as their counters may be read: joules, and where each begins anew. */
interface Reading {
  joules: number;
  wrapJoules: number;
}

/**
 * The counters of Intel's and AMD's RAPL (Linux, Documentation/power/powercap/powercap.rst): microjoules of each package.
 * Since CVE-2020-8694 only root reads them.
 */
async function readings(root: string): Promise<Map<string, Reading>> {
  const folder = join(root, "sys/class/powercap");
  const zones = (await readdir(folder).catch(() => [])).filter((name) => /^intel-rapl:\d+$/.test(name));
  const figures = await Promise.all(
    zones.map(async (zone): Promise<[string, Reading] | undefined> => {
      const figure = async (name: string): Promise<number> =>
        Number(await readFile(join(folder, zone, name), "utf8")) / 1e6;
      return Promise.all([figure("energy_uj"), figure("max_energy_range_uj")]).then(
        ([joules, wrapJoules]) => [zone, { joules, wrapJoules }],
        () => undefined,
      );
    }),
  );
  return new Map(figures.filter((figure) => figure !== undefined));
}

/** Begins to count; the answer tells joules since, or nothing where no counter can be read. */
export async function countEnergy(root = "/"): Promise<() => Promise<number | undefined>> {
  const before = await readings(root);
  return async () => {
    if (before.size === 0) return undefined;
    let joules = 0;
    for (const [zone, now] of await readings(root)) {
      const used = now.joules - (before.get(zone)?.joules ?? now.joules);
      joules += used < 0 ? used + now.wrapJoules : used;
    }
    return joules;
  };
}
