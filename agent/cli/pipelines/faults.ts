/** What is wrong with a pipeline, under the lines in which it is. */
import { SkeinError } from "../../../shared/errors.ts";
import type { PipelineFault } from "../../../shared/pipeline/compile.ts";
import { plain, plural } from "../table.ts";
import type { World } from "../world.ts";

const SHOWN_MAX = 110;

export function faultsText(where: string, text: string, faults: readonly PipelineFault[]): string {
  const lines = text.split(/\r?\n/);
  const told = faults.map((fault) => `${headOf(fault)}${excerpt(lines, fault)}`);
  return `${plain(where)}: ${plural(faults.length, "fault")}\n${told.join("")}`;
}

function headOf({ path, line, reason }: PipelineFault): string {
  const place = [...(line === undefined ? [] : [`line ${line}`]), ...(path ? [path] : [])].join(", ");
  return `  ${plain(place === "" ? reason : `${place}: ${reason}`)}\n`;
}

/** The line with a mark below where the fault begins. */
function excerpt(lines: readonly string[], { line, column }: PipelineFault): string {
  const text = line === undefined ? undefined : lines[line - 1];
  if (text === undefined) return "";
  const number = String(line).padStart(6);
  const shown = [...plain(text.replaceAll("\t", " "))].slice(0, SHOWN_MAX).join("");
  const mark = column === undefined || column > SHOWN_MAX ? "" : `${" ".repeat(7)}| ${" ".repeat(column - 1)}^\n`;
  return `${number} | ${shown}\n${mark}`;
}

/** Tells all faults where `act` is refused for them, and ends as any refusal does; as JSON the error tells them itself. */
export async function tellingFaults(
  { where, text, isJson }: { where: string; text: string; isJson: boolean },
  world: World,
  act: () => Promise<number>,
): Promise<number> {
  try {
    return await act();
  } catch (error) {
    const refusal = SkeinError.from(error);
    if (refusal.code !== "PIPELINE_INVALID" || isJson) throw error;
    world.err(faultsText(where, text, refusal.facts.faults as PipelineFault[]));
    return refusal.exitCode;
  }
}
