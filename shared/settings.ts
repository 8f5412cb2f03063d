/** Small named values that every box agrees on: anyone's, by any name, and the fleet's own, which are checked and have defaults. */
import { LIMITS } from "./limits.ts";

export interface Setting {
  name: string;
  /** Empty if nothing is set under the name. */
  value: string;
  /** Present on one of the fleet's own that nobody has set. */
  isDefault?: true;
}

const NAME = /^[A-Za-z][A-Za-z0-9.-]{0,63}$/;

/** The fleet's own: whole numbers. */
const OWN = {
  /** Nodes that count; further ones learn or only work. More voters make each write wait for more disks. */
  votersMax: { min: 1, max: 9, byDefault: LIMITS.votersMax },
  /** How long a voter may be gone before another box takes its seat. */
  voterGoneAfterSeconds: { min: 1, max: 7 * 24 * 3_600, byDefault: 600 },
  /** Nodes that hold each input and each result of a job that does not say otherwise. More copies cost disks and links. */
  copies: { min: 1, max: LIMITS.copiesMax, byDefault: LIMITS.copiesDefault },
  /** Days that an ended job is kept, with its inputs and results; 0: for ever. */
  keepJobsDays: { min: 0, max: 3_650, byDefault: 30 },
  /** Ended jobs that are kept; the oldest go first. Each is some memory on every box that holds the ledger. */
  keepJobsMax: { min: 1, max: 100_000, byDefault: 10_000 },
  /** Megabytes a second at which a node takes models in; 0: as fast as they come. Less leaves more of its link to work. */
  deliveryMBps: { min: 0, max: 100_000, byDefault: 0 },
} as const;

export type FleetSettings = { [N in keyof typeof OWN]: number };
const isOwn = (name: string): name is keyof FleetSettings => Object.hasOwn(OWN, name);

/** Why this may not be set, as the end of a sentence; undefined if it may. An empty value takes a setting away. */
export function settingFault(name: string, value: string): string | undefined {
  if (!NAME.test(name))
    return `the name of a setting is a letter and up to 63 letters, digits, dots and dashes, not ${JSON.stringify(name.slice(0, 80))}`;
  // Three bytes at most for each unit, so that the usual short value is not encoded to be measured.
  if (value.length * 3 > LIMITS.settingBytesMax && bytesOf(value) > LIMITS.settingBytesMax)
    return `the value of ${name} is larger than ${LIMITS.settingBytesMax} bytes`;
  if (!value.isWellFormed()) return `the value of ${name} is not text`;
  if (!isOwn(name) || value === "") return undefined;
  const { min, max } = OWN[name];
  const isWithin = /^\d{1,6}$/.test(value) && Number(value) >= min && Number(value) <= max;
  return isWithin ? undefined : `${name} is a whole number from ${min} to ${max}`;
}

const bytesOf = (text: string): number => new TextEncoder().encode(text).length;

/** The fleet's own settings as they hold now. */
export function fleetSettings(settings: ReadonlyMap<string, string>): FleetSettings {
  const read = (name: keyof FleetSettings): number => Number(settings.get(name) ?? OWN[name].byDefault);
  const names = Object.keys(OWN) as (keyof FleetSettings)[];
  return Object.fromEntries(names.map((name) => [name, read(name)])) as FleetSettings;
}

export function settingOf(settings: ReadonlyMap<string, string>, name: string): Setting {
  const value = settings.get(name);
  if (value === undefined && isOwn(name)) return { name, value: String(OWN[name].byDefault), isDefault: true };
  return { name, value: value ?? "" };
}

/** Whatever is set and whatever has a default, by name. */
export function settingsOf(settings: ReadonlyMap<string, string>): Setting[] {
  const names = new Set([...Object.keys(OWN), ...settings.keys()]);
  return [...names].sort().map((name) => settingOf(settings, name));
}
