/**
 * One trial of one execution provider, in a process of its own: a driver that does not fit its provider ends the process,
 * and the agent shall not be that process. The provider's name is the argument.
 */
import { setPriority } from "node:os";
import type { TrialEnd } from "./protocol.ts";

const niceness = 10;

/** An ONNX model of one node, Y = MatMul(X, X) of 2 × 2 floats, opset 13. */
const model = Buffer.from(
  "CAg6RAoRCgFYCgFYEgFZIgZNYXRNdWwSBXRyaWFsWhMKAVgSDgoMCAESCAoCCAIKAggCYhMKAVkSDgoMCAESCAoCCAIKAggCQgIQDQ==",
  "base64",
);
const input = [1, 2, 3, 4];
const expected = [7, 10, 15, 22];

process.title = "skein-provider-trial";
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
setPriority(niceness);

async function trial(provider: string): Promise<TrialEnd> {
  const { InferenceSession, Tensor } = await import("onnxruntime-node");
  const startedMs = performance.now();
  // Without this, a provider that cannot do it quietly leaves the node to the CPU, and seems to work.
  const alone = provider === "cpu" ? {} : { extra: { session: { disable_cpu_ep_fallback: "1" } } };
  const session = await InferenceSession.create(model, {
    executionProviders: [provider],
    intraOpNumThreads: 1,
    logSeverityLevel: 4,
    ...alone,
  });
  const { Y } = await session.run({ X: new Tensor("float32", input, [2, 2]) });
  const output = [...(Y!.data as Float32Array)];
  if (!expected.every((value, i) => value === output[i]))
    return { works: false, reason: `it computed ${output.join(" ")} where ${expected.join(" ")} is right` };
  return { works: true, reason: `made a session and ran it in ${Math.round(performance.now() - startedMs)} ms` };
}

/** Without the place in onnxruntime's sources where it was found out. */
const plainReason = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replace(/^.* was false\. /s, "");

const end = await trial(process.argv[2]!).catch(
  (error: unknown): TrialEnd => ({ works: false, reason: plainReason(error) }),
);
// Whoever asked ends this process when it has heard: an exit of its own could hang in a driver.
process.send?.(end);
