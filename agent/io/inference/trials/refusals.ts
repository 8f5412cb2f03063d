/** What onnxruntime says of a model it will not have, as a reason for people. */
import { basename } from "node:path";

/** The model is at fault. */
export class Refused extends Error {}

/** The protocol's names of ONNX element types that onnxruntime-node has no arrays for. */
const UNCARRIED: Readonly<Record<string, string>> = {
  14: "complex64",
  15: "complex128",
  16: "bfloat16",
  17: "float8e4m3fn",
  18: "float8e4m3fnuz",
  19: "float8e5m2",
  20: "float8e5m2fnuz",
};

const megabytes = (bytes: string): string => `${Math.ceil(Number(bytes) / 1e6)} MB`;

const RULES: [pattern: RegExp, say: (found: RegExpMatchArray) => string][] = [
  [
    /Fatal error: ([^\s:]*):(\S+?)\(-?\d+\) is not a registered function\/op/,
    ([, domain, name]) =>
      `it needs the custom operator ${name} of the domain "${domain}", which onnxruntime does not have`,
  ],
  [
    /No Op registered for (\S+) with domain_version of (\d+)/,
    ([, name, version]) => `it needs the operator ${name}, which ONNX ${version} does not have`,
  ],
  [/External data path does not exist: "([^"]+)"/, ([, path]) => `its external data ${basename(path!)} is not there`],
  [
    /External data path escapes model directory\. External data path: "([^"]+)"/,
    ([, path]) => `its external data is named ${path}, outside its folder`,
  ],
  [
    /Failed to allocate memory for requested buffer of size (\d+)/,
    ([, bytes]) => `it needs more memory than it may have: ${megabytes(bytes!)} for one tensor`,
  ],
  [
    /Failed to allocate memory|bad_alloc|Array buffer allocation failed|ENOMEM/i,
    () => "it needs more memory than it may have",
  ],
  [
    /Unsupported data type: (\d+)/,
    ([, type]) => `it takes or gives tensors of the type ${UNCARRIED[type!] ?? type}, which cannot be carried`,
  ],
  [
    /for domain ([\w.]+) is till opset (\d+)/,
    ([, domain, newest]) => `it is written in a newer ONNX than onnxruntime knows (${domain} after ${newest})`,
  ],
  [/Protobuf parsing failed|ModelProto does not have a graph/, () => "it is not an ONNX file"],
];

/** Of a longer message the rest is where in onnxruntime's own sources it happened. */
const charsMax = 300;

export function reasonOf(message: string): string {
  for (const [pattern, say] of RULES) {
    const found = message.match(pattern);
    if (found) return say(found);
  }
  const plain = message
    .replace(/^Load model from \S+ failed:/, "")
    .replace(/\/onnxruntime_src\/\S+ .*?\) (?=[A-Z[])/s, "")
    .replace(/\s+/g, " ")
    .trim();
  return `onnxruntime says: ${plain.slice(0, charsMax)}`;
}
