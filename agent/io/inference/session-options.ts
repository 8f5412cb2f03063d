import type { InferenceSession } from "onnxruntime-node";
import type { SessionChoice } from "../../../shared/session-choice.ts";

/**
 * What a choice is to onnxruntime. Several operators of one graph at once are never worth it beside other executors. Only
 * what is fatal is logged: errors come as exceptions, and an executor's last words must be those of its end.
 */
export function sessionOptions(
  choice: Pick<SessionChoice, "threads" | "graphLevel" | "memoryPattern" | "spinning">,
): InferenceSession.SessionOptions {
  return {
    intraOpNumThreads: choice.threads,
    interOpNumThreads: 1,
    enableMemPattern: choice.memoryPattern,
    graphOptimizationLevel: choice.graphLevel,
    logSeverityLevel: 4,
    extra: { session: { intra_op: { allow_spinning: choice.spinning ? "1" : "0" } } },
  };
}
