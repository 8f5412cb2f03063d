import { within } from "./deadline.ts";
import type { Findings } from "./findings.ts";

/** Each question starts programs (lspci, lsblk, nvidia-smi, dmidecode) that answer in a second or hang on broken firmware. */
const DEADLINE_MS = 5_000;

/**
 * Asks systeminformation what no file of the kernel tells in words: names of GPUs, of disks and memory modules, the health
 * of a battery. For people who look closely, once: it takes 10 MB and starts child processes. What does not answer is
 * noted as missing.
 */
export async function noteDeepWords(findings: Findings): Promise<void> {
  const asked = await import("systeminformation");
  const ask = async <T>(what: string, question: Promise<T>, tell: (answer: T) => void): Promise<void> => {
    const from = `systeminformation ${what}`;
    try {
      const answer = await within(DEADLINE_MS, question);
      if (answer === undefined) findings.missed(`deep.${what}`, [`${from} (no answer within ${DEADLINE_MS} ms)`]);
      else tell(answer);
    } catch (error) {
      findings.missed(`deep.${what}`, [`${from} (${(error as Error).message.slice(0, 120)})`]);
    }
  };
  const note = (what: string, from: string, words: (string | number | undefined | null | false)[]): void => {
    const text = words.filter(Boolean).join(" ").trim().slice(0, 200);
    if (text) findings.note(what, text, `systeminformation ${from}`);
  };
  await ask("graphics", asked.graphics(), ({ controllers }) => {
    for (const gpu of controllers)
      note("accelerator.gpuName", "graphics", [gpu.vendor, gpu.model, gpu.vram ? `${gpu.vram} MB` : ""]);
  });
  await ask("diskLayout", asked.diskLayout(), (disks) => {
    for (const disk of disks)
      note("storage.diskName", "diskLayout", [disk.device, disk.type, disk.vendor, disk.name, disk.interfaceType]);
  });
  await ask("memLayout", asked.memLayout(), (modules) => {
    for (const one of modules)
      note("memory.module", "memLayout", [
        one.type,
        one.size > 0 && `${one.size} bytes`,
        one.clockSpeed && `${one.clockSpeed} MHz`,
      ]);
  });
  await ask("battery", asked.battery(), (battery) => {
    if (!battery.hasBattery) return;
    note("power.battery", "battery", [battery.manufacturer, battery.model, battery.type]);
    const { maxCapacity, designedCapacity } = battery;
    if (maxCapacity > 0 && designedCapacity > 0)
      findings.note(
        "power.batteryHealthPercent",
        Math.round((100 * maxCapacity) / designedCapacity),
        "systeminformation battery",
      );
  });
}
