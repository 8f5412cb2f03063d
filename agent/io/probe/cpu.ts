import type { Findings } from "./findings.ts";
import type { Root } from "./root.ts";
import { filesIn } from "./sensor.ts";

/**
 * Flags of /proc/cpuinfo by which the kernels of onnxruntime (MLAS) choose their code, or that halve or quarter the cost
 * of a multiplication: dot products of 8 bits (VNNI, DP, I8MM), 16-bit floats, matrix tiles.
 */
const VECTOR_FLAGS: Record<string, readonly string[]> = {
  x64: [
    ...["avx", "f16c", "fma", "avx2", "avx_vnni", "avx_vnni_int8", "avx512f", "avx512bw", "avx512_vnni"],
    ...["avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16", "amx_fp16", "avx10_1"],
  ],
  arm64: ["asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2", "sme"],
  arm: ["neon", "vfpv4", "asimd", "asimddp"],
};

/** Those that every core has: a thread may run on any. Undefined where /proc/cpuinfo lists no flags at all. */
export function vectorOf(root: Root, arch: string): string | undefined {
  const lines = [...(root.text("/proc/cpuinfo") ?? "").matchAll(/^(?:flags|Features)\s*:(.*)$/gm)];
  if (lines.length === 0) return undefined;
  const cores = lines.map((match) => new Set(match[1]!.trim().split(/\s+/)));
  const known = VECTOR_FLAGS[arch] ?? [];
  return known.filter((flag) => cores.every((core) => core.has(flag))).join(" ") || undefined;
}

/** Frequency is governed for groups of cores; on PCs each core is a group of its own. */
const policiesOf = (root: Root): string[] => filesIn(root, "/sys/devices/system/cpu/cpufreq", /^policy\d+$/);

const MHZ_OF_KHZ = 1 / 1000;
/** A wrong one of these would be worse than none. */
const plausibleMHz = (khz: number | undefined): number | undefined =>
  khz !== undefined && khz >= 10_000 && khz <= 20_000_000 ? khz * MHZ_OF_KHZ : undefined;

/** Groups whose frequency is read again and again; further ones are of the same kinds. */
const POLICIES_READ_MAX = 8;

export interface Frequencies {
  /** Of each group that is looked at: its files. */
  policies: { folder: string; maxMHz?: number; capMHz?: number }[];
}

/** Of one group of each kind first, so that the fast cores of a big.LITTLE are among those that are read. */
export function frequenciesOf(root: Root): Frequencies {
  const policies = policiesOf(root).map((folder) => {
    const maxMHz = plausibleMHz(root.number(`${folder}/cpuinfo_max_freq`));
    const capMHz = plausibleMHz(root.number(`${folder}/scaling_max_freq`));
    return { folder, ...(maxMHz !== undefined && { maxMHz }), ...(capMHz !== undefined && { capMHz }) };
  });
  policies.sort((a, b) => (b.maxMHz ?? 0) - (a.maxMHz ?? 0));
  return { policies: policies.slice(0, POLICIES_READ_MAX) };
}

export const khzToMHz = plausibleMHz;

/** "cpu MHz" of /proc/cpuinfo, the largest: what a virtual machine shows instead of cpufreq. */
export function cpuinfoMHz(root: Root): number | undefined {
  const all = [...(root.text("/proc/cpuinfo") ?? "").matchAll(/^cpu MHz\s*:\s*([\d.]+)$/gm)].map((m) => Number(m[1]));
  const plausible = all.map((mhz) => plausibleMHz(mhz * 1000)).filter((mhz) => mhz !== undefined);
  return plausible.length === 0 ? undefined : Math.max(...plausible);
}

/** `L2 Unified 2048K × 4`, one for each level and type, nearest first. */
export function cachesOf(root: Root): string | undefined {
  const caches = new Map<string, Set<string>>();
  for (const cpu of filesIn(root, "/sys/devices/system/cpu", /^cpu\d+$/))
    for (const index of filesIn(root, `${cpu}/cache`, /^index\d+$/)) {
      const field = (name: string): string => root.text(`${index}/${name}`)?.trim() ?? "";
      const [level, type, size] = [field("level"), field("type"), field("size")];
      if (!/^\d$/.test(level) || !/^\d+[KM]$/.test(size)) continue;
      const kind = `L${level} ${type} ${size}`;
      // Cores that share a cache all show it; only their lists tell that it is one.
      caches.set(kind, (caches.get(kind) ?? new Set()).add(field("shared_cpu_list") || cpu));
    }
  const words = [...caches].map(([kind, copies]) => `${kind} x ${copies.size}`);
  return words.sort().join(", ") || undefined;
}

/** What is worth telling about the CPU and does not travel. */
export function noteCpu(findings: Findings, root: Root, arch: string): void {
  const { policies } = frequenciesOf(root);
  const [fastest] = policies;
  const cpufreq = "/sys/devices/system/cpu/cpufreq";
  findings.note("cpu.vector", vectorOf(root, arch), "/proc/cpuinfo");
  findings.note("cpu.caches", cachesOf(root), "/sys/devices/system/cpu/cpu*/cache");
  findings.note("cpu.frequencyMaxMHz", fastest?.maxMHz, `${fastest?.folder ?? `${cpufreq}/policy*`}/cpuinfo_max_freq`);
  findings.note("cpu.frequencyCapMHz", fastest?.capMHz, `${fastest?.folder ?? `${cpufreq}/policy*`}/scaling_max_freq`);
  const governor = fastest && `${fastest.folder}/scaling_governor`;
  findings.note(
    "cpu.governor",
    governor && root.text(governor)?.trim(),
    governor ?? `${cpufreq}/policy*/scaling_governor`,
  );
}
