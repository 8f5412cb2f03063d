import type { Findings } from "./findings.ts";
import type { Root } from "./root.ts";

const STATUS = "/var/lib/nvpmodel/status";
const CONFIG = "/etc/nvpmodel.conf";

/** The mode a Jetson was switched to by nvpmodel, by the name its configuration gives it; undefined on any other box. */
export function powerModeOf(root: Root): string | undefined {
  const id = root.text(STATUS)?.match(/^pmode:(\d+)/m)?.[1];
  if (id === undefined) return undefined;
  const modes = (root.text(CONFIG) ?? "").matchAll(/<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=([^\s>]+)/g);
  return [...modes].find((mode) => Number(mode[1]) === Number(id))?.[2];
}

export function notePowerMode(findings: Findings, root: Root): void {
  const mode = powerModeOf(root);
  if (mode !== undefined) findings.note("power.mode", mode, `${STATUS}, ${CONFIG}`);
}
