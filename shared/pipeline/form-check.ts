import { checkKeys, checkList, checkOneOf, checkRecord, checkText, checkWhole, refuse } from "../checks.ts";
import { LIMITS } from "../limits.ts";
import type { FormSegment, JobForm } from "./compiled.ts";

const { pipelineStagesMax, fanOutMax, copiesMax } = LIMITS;

/** @throws BAD_REQUEST for what is no form, or cannot be gone by */
export function checkForm(value: unknown): JobForm {
  const record = checkRecord(value, "form");
  checkKeys(record, "form", ["segments"]);
  const form = { segments: checkList(record.segments, "form.segments", pipelineStagesMax, checkSegment) };
  const fault = formFault(form);
  if (fault) refuse("form", fault);
  return form;
}

function checkSegment(value: unknown, path: string): FormSegment {
  const one = checkRecord(value, path);
  checkKeys(one, path, ["name", "after", "over", "copies", "onError"]);
  return {
    name: checkText(one.name, `${path}.name`, 255),
    after: checkList(one.after, `${path}.after`, pipelineStagesMax, (place, at) =>
      checkWhole(place, at, -1, pipelineStagesMax),
    ),
    ...(one.over === undefined ? {} : { over: checkOver(one.over, `${path}.over`) }),
    copies: checkWhole(one.copies, `${path}.copies`, 1, copiesMax),
    onError: checkOneOf(one.onError, `${path}.onError`, ["fail", "skip"] as const),
  };
}

function checkOver(value: unknown, path: string): FormSegment["over"] & object {
  const over = checkRecord(value, path);
  checkKeys(over, path, ["segment", "list", "elementsPerTask", "sources"]);
  return {
    segment: checkWhole(over.segment, `${path}.segment`, 0, pipelineStagesMax),
    list: checkWhole(over.list, `${path}.list`, 0, pipelineStagesMax),
    elementsPerTask: checkWhole(over.elementsPerTask, `${path}.elementsPerTask`, 1, fanOutMax),
    sources: checkList(over.sources, `${path}.sources`, pipelineStagesMax, (key, at) => checkText(key, at, 255)),
  };
}

/** Why no job can be gone through by it, as the end of a sentence; undefined if one can. */
export function formFault({ segments }: JobForm): string | undefined {
  if (segments.length === 0) return "must have a segment";
  if (segments.length > pipelineStagesMax) return `must have at most ${pipelineStagesMax} segments`;
  if (segments.at(-1)!.over) return "must end in a segment that runs once per item";
  for (const [place, { after, over, copies }] of segments.entries()) {
    const here = `segment ${place}`;
    if (after.length === 0) return `says of ${here} not what it takes from`;
    if (after.some((one, i) => !(one < place) || one < -1 || one <= (after[i - 1] ?? -2)))
      return `must say what ${here} takes from in order, and name what comes before it`;
    if (copies < 1 || copies > copiesMax) return `must want 1 to ${copiesMax} copies of ${here}`;
    const fault = over && overFault(segments, place, over);
    if (fault) return `${here} ${fault}`;
  }
  return undefined;
}

/** Two that run over one list run over the same slices of it, so that one can begin with what the other has done. */
function overFault(
  segments: readonly FormSegment[],
  place: number,
  over: FormSegment["over"] & object,
): string | undefined {
  const maker = segments[over.segment];
  if (!maker || over.segment >= place) return "runs over a list that does not come before it";
  if (maker.over) return "runs over a list of lists";
  if (over.elementsPerTask < 1) return "runs over slices of nothing";
  const alike = segments.slice(0, place).find((other) => other.over && isOneList(other.over, over));
  return alike && alike.over!.elementsPerTask !== over.elementsPerTask
    ? "runs over other slices than one before it does of that list"
    : undefined;
}

export const isOneList = (a: { segment: number; list: number }, b: { segment: number; list: number }): boolean =>
  a.segment === b.segment && a.list === b.list;
