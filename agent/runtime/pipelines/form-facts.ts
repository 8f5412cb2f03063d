import type { NodeView } from "../../../shared/fleet.ts";
import type { CompiledPipeline } from "../../../shared/pipeline/compiled.ts";
import type { JobRecord } from "../../core/ledger/index.ts";
import type { FormFacts } from "../../core/pipeline/index.ts";
import { expectedHandOverMs } from "../workers.ts";
import { canRun, linkBytesPerSecond, type StageFigures } from "./stage-figures.ts";

/** Until a fleet lost nodes: a box in a hundred is unplugged while a job runs. */
const LOSS_SHARE_MIN = 0.01;
/** A lease, a report, its commit and the answer: what the leader's own box takes too. */
const HAND_OVER_MS = 2;

export interface FormSources {
  /** Nodes that may work now. */
  able: readonly NodeView[];
  figures: StageFigures;
  /** Whole items a second of all executors of a node, if they were seen. */
  seenRate?: (node: NodeView) => number | undefined;
}

/** What the form of a job is chosen by, as this node knows it now. */
export function formFacts(
  pipeline: CompiledPipeline,
  job: Pick<JobRecord, "inputs" | "copies">,
  { able, figures, seenRate = () => undefined }: FormSources,
): FormFacts {
  const { stages } = pipeline;
  const gone = figures.nodes.filter(({ presence, role }) => presence === "gone" && role !== "witness").length;
  return {
    items: job.inputs.length,
    copies: job.copies,
    nodes: able.map((node) => {
      const bytesPerSecond = linkBytesPerSecond(figures.nodes, node.nodeId);
      const [rate, executors] = [seenRate(node), node.report?.executors ?? 0];
      return {
        ...{ nodeId: node.nodeId, name: node.name, executors },
        handOverMs: HAND_OVER_MS + expectedHandOverMs(node),
        ...(bytesPerSecond !== undefined && { bytesPerSecond }),
        ...(rate !== undefined && { wholeSeconds: executors / rate }),
        canRun: stages.map((stage) => canRun(node, stage)),
        seconds: stages.map((_, place) => figures.seconds(pipeline, place, node)),
      };
    }),
    outputBytes: stages.map((_, place) => figures.outputBytes(pipeline, place)),
    elements: figures.elements(pipeline),
    lossShare: Math.max(LOSS_SHARE_MIN, gone / Math.max(1, figures.nodes.length)),
  };
}
