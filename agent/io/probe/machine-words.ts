import type { MachineWords } from "./board.ts";
import { within } from "./deadline.ts";

/** It asks lscpu and dmidecode, which answer in well under a second or hang on broken firmware. */
const DEADLINE_MS = 5_000;

/**
 * Asks systeminformation for names. It takes 10 MB and starts child processes, so it is loaded and asked only when it is
 * needed, once in a life. No answer in time, or an error, is no answer: a name is not worth failing for.
 */
export async function askMachineWords(): Promise<MachineWords> {
  const { cpu, system } = await import("systeminformation");
  const answers = await within(DEADLINE_MS, Promise.all([cpu(), system()])).catch(() => undefined);
  if (!answers) return {};
  const [chip, box] = answers;
  return { cpuModel: `${chip.manufacturer} ${chip.brand}`, model: `${box.manufacturer} ${box.model}` };
}
