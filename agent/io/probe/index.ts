/**
 * The probe reads the box: what it is (device tree, DMI, CPU), which firmware profile fits it, what of its memory and
 * cores may be used (cgroup limits included), and every few seconds how it fares (memory, disk, load, heat). Facts come
 * from the kernel's own files; systeminformation is asked once, and only for names those files do not give. It decides nothing.
 */
export { createProbe, type ProbeInit } from "./probe.ts";
