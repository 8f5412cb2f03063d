import type { Root } from "./root.ts";

/**
 * Why a 32-bit Arm box computes nothing; undefined on any other. onnxruntime-node brings binaries for x64 and arm64 alone
 * (its package's bin/napi-v6/linux). Many such boxes have a 64-bit processor and only a 32-bit system.
 */
export function reasonToRunNothing(root: Root, arch: string): string | undefined {
  if (arch !== "arm") return undefined;
  const could = /^CPU architecture\s*:\s*8$/m.test(root.text("/proc/cpuinfo") ?? "");
  const advice = could ? ". Its processor is a 64-bit one: with a 64-bit system it would" : "";
  return `a 32-bit Arm system runs no inference, as onnxruntime is not made for it; this box may be a gateway or a witness${advice}`;
}
