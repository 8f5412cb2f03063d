import { oneAtATime, within } from "./deadline.ts";
import { type Root, wholeNumber } from "./root.ts";

/** A reading that takes longer is left out this time. Zones of parts a module lacks can hang (prometheus/node_exporter #3071). */
const SENSOR_DEADLINE_MS = 500;

/** One file behind which there may be a slow bus; undefined if it does not answer in time. */
export interface Sensor {
  path: string;
  text(): Promise<string | undefined>;
  number(): Promise<number | undefined>;
}

export function sensor(root: Root, path: string): Sensor {
  const read = oneAtATime(() => root.textSlow(path));
  const text = (): Promise<string | undefined> => within(SENSOR_DEADLINE_MS, read());
  return { path, text, number: async () => wholeNumber(await text()) };
}

/** Folders of hwmon chips whose name fits, in the order of their numbers' names. */
export const hwmonChips = (root: Root, name: RegExp): string[] =>
  root
    .names("/sys/class/hwmon")
    .map((chip) => `/sys/class/hwmon/${chip}`)
    .filter((chip) => name.test(root.text(`${chip}/name`)?.trim() ?? ""));

/** Files of a folder whose names fit, with their path. */
export const filesIn = (root: Root, folder: string, name: RegExp): string[] =>
  root
    .names(folder)
    .filter((file) => name.test(file))
    .map((file) => `${folder}/${file}`);
