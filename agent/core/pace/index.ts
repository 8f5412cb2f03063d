/**
 * The pace room says how patient a fleet should be, from what its leader measured: on wire and NVMe a silent leader is
 * missed in a fraction of a second, on Wi-Fi and SD cards nobody stands for election while another election is under way.
 */
export { type Measured, type PacedTiming, paceFor } from "./pace.ts";
