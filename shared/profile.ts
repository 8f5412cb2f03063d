/** A firmware profile: what cannot be measured about a class of device, and how to recognise it. One JSON file each in firmware-profiles/. */
export interface FirmwareProfile {
  name: string;
  title: string;
  /** Any one that matches is enough; a pattern is a case-insensitive regular expression. Generic profiles match on arch alone. */
  recognise: {
    deviceTree?: string[];
    dmi?: string[];
    cpu?: string[];
    arch: "x64" | "arm64" | "any";
  };
  /** Larger wins when several match. */
  priority: number;
  /** Share of total memory that inference may use, 0 to 1. */
  memoryUsableShare: number;
  executors: {
    /** Cores left for the agent and the system. */
    coresReserved: number;
    max: number;
  };
  thermal: {
    /** Shed work from here. */
    warnC: number;
    /** The device slows itself from here. */
    throttleC: number;
  };
  /** onnxruntime execution providers to try, in order. */
  providers: string[];
  /** JSON path of a figure above → where it comes from. */
  sources: Record<string, string>;
}
