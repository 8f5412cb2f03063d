import { checkRecord, refuse } from "./checks.ts";
import { SkeinError } from "./errors.ts";
import { LIMITS } from "./limits.ts";

/** What people say of a box: `zone=garage`. The label `zone` names a failure domain: copies are put in different ones. */
export type Labels = Record<string, string>;

const KEY = /^[a-z][a-z0-9.-]{0,31}$/;
const VALUE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** Why these are no labels, as the end of a sentence; undefined if they are. */
export function labelsFault(labels: Labels): string | undefined {
  const all = Object.entries(labels);
  if (all.length > LIMITS.labelsPerNodeMax) return `a box has at most ${LIMITS.labelsPerNodeMax} labels`;
  for (const [key, value] of all) {
    if (!KEY.test(key))
      return `${JSON.stringify(key.slice(0, 80))} is not a label: a small letter, then small letters, digits, dots and dashes`;
    if (!VALUE.test(value)) return `the label ${key} is up to 63 letters, digits, dots, dashes and underscores`;
  }
  return undefined;
}

/** A box that has all the labels that are asked for. */
export const fitsLabels = (asked: Labels, labels: Labels): boolean =>
  Object.entries(asked).every(([key, value]) => labels[key] === value);

/** @throws BAD_REQUEST */
export function checkLabels(value: unknown, path = "labels"): Labels {
  const labels: Labels = {};
  for (const [key, given] of Object.entries(checkRecord(value, path)))
    labels[key] = typeof given === "string" ? given : refuse(`${path}.${key.slice(0, 80)}`, "must be text");
  const reason = labelsFault(labels);
  if (reason) throw new SkeinError("BAD_REQUEST", { reason });
  return labels;
}
