import { type Company, companyOf } from "../placement/company.ts";
import { serve } from "../placement/serve.ts";
import { pinnedBy } from "../rules.ts";
import { bytes, percent, rate } from "../words.ts";
import type { PlacementMatter } from "./model-matter.ts";

/** What serves less than this more is no reason to load a model. */
const GAIN_MIN = 0.005;

/** Why a model stands on node i, as a sentence without its beginning. */
export function whyHere({ decision, pipeline, question, placed, at }: PlacementMatter, i: number): string {
  const company = companyOf(question, placed.placed, Math.floor(at(0) / question.nodes.length), i);
  const node = question.nodes[i]!;
  const pin = pinnedBy(decision.rules, node, pipeline);
  const share = placed.served.time[at(i)]!;
  const told = [
    question.rate[at(i)]! > 0
      ? `it does ${rate(question.rate[at(i)]!)} there${heat(node)}, and gets ${percent(share)} of the box's time`
      : `it serves nothing there for now: ${question.whyNot.get(at(i)) ?? "the box rests"}`,
    `takes ${bytes(question.takes[at(i)]!)} of the ${bytes(node.memoryForModelsBytes)} for models`,
    ...(pin ? [`${pin.ruleId} wants it there`] : []),
    ...company.map((one) => `stands with ${companyText(one)}`),
    ...(question.stands[at(i)] ? ["it stood there before"] : []),
  ];
  return told.join("; ");
}

const heat = ({ derating, deratedBecause }: { derating: number; deratedBecause?: string }): string =>
  derating === 1 ? "" : ` (${percent(derating)} of its speed, because ${deratedBecause ?? "of heat or battery"})`;

/** "ocr-detection:1 of the pipeline document-reading:1". */
const companyText = ({ pipeline, models }: Company): string => `${models.join(", ")} of the pipeline ${pipeline}`;

/** Why it does not. */
export function whyNotHere(matter: PlacementMatter, i: number): string {
  const { question, placed, memoryLeft, at } = matter;
  const barred = question.whyNot.get(at(i));
  if (barred) return barred;
  const node = question.nodes[i]!;
  const takes = question.takes[at(i)]!;
  if (question.rate[at(i)]! === 0)
    return `heat or battery leave it nothing${node.deratedBecause ? `: ${node.deratedBecause}` : ""}`;
  if (takes > memoryLeft[i]!)
    return `it needs ${bytes(takes)} while it loads, and ${beside(matter, i)} leave ${bytes(Math.max(0, memoryLeft[i]!))}`;
  const m = Math.floor(at(0) / question.nodes.length);
  const copies = question.nodes.filter((_, j) => matter.placedOn(j)).length;
  if (copies >= question.max[m]!)
    return `it may stand on ${copies} ${copies === 1 ? "box" : "boxes"} at most, and the others serve more`;
  const more = Uint8Array.from(placed.placed);
  more[at(i)] = 1;
  const gain = serve(question, more).share / placed.served.share - 1;
  const does = `it would do ${rate(question.rate[at(i)]!)} there`;
  const [company] = companyOf(question, placed.placed, m, i);
  const alone = company
    ? `; with ${companyText(company)} it would stand there if half of the box's memory for models stayed free`
    : "";
  if (!(gain > GAIN_MIN)) return `${does}, and no model would be served more for it${alone}`;
  return `${does}, and the fleet could serve ${percent(gain)} more: less than what loading it there was held to cost, or more than the search found`;
}

/** The models that stand on node i, by name. */
function beside({ question, placed }: PlacementMatter, i: number): string {
  const N = question.nodes.length;
  const names = question.models.filter((_, m) => placed.placed[m * N + i]).map(({ pipeline }) => pipeline);
  return names.length > 0 ? names.join(", ") : "its reserves";
}
