/** Reads scenario files in the format of cockroachdb/datadriven: a directive, its input, four dashes, what is expected. */

export interface Directive {
  /** Line number in the file, from 1. */
  line: number;
  command: string;
  /** A bare word has no values; `k=v` one; `k=(a, b)` several. In the order written. */
  args: { key: string; values: string[] }[];
  input: string;
  expected: string;
}

const SEPARATOR = "----";
const isBlank = (line: string | undefined): boolean => line === undefined || line.trim() === "";

export function parseDirectives(text: string): Directive[] {
  const lines = text.split("\n");
  const directives: Directive[] = [];
  let at = 0;
  while (at < lines.length) {
    const line = at + 1;
    let head = lines[at]!;
    at += 1;
    if (isBlank(head) || head.startsWith("#")) continue;
    while (head.endsWith("\\")) head = head.slice(0, -1) + (lines[at++] ?? "");
    const inputFrom = at;
    while (at < lines.length && lines[at] !== SEPARATOR) at += 1;
    if (at >= lines.length) throw new Error(`line ${line}: no ${SEPARATOR} after "${head}"`);
    const input = lines.slice(inputFrom, at).join("\n").trim();
    const [expected, next] = readExpected(lines, at + 1);
    at = next;
    directives.push({ line, ...parseHead(head.trim(), line), input, expected });
  }
  return directives;
}

/** Up to the first blank line; or, opened by a second separator, up to two separators in a row. */
function readExpected(lines: string[], from: number): [expected: string, next: number] {
  let at = from;
  if (lines[at] !== SEPARATOR) {
    while (at < lines.length && !isBlank(lines[at])) at += 1;
    return [lines.slice(from, at).join("\n"), at];
  }
  at += 1;
  while (at < lines.length && !(lines[at] === SEPARATOR && lines[at + 1] === SEPARATOR)) at += 1;
  return [lines.slice(from + 1, at).join("\n"), at + 2];
}

function parseHead(head: string, line: number): Pick<Directive, "command" | "args"> {
  const command = head.match(/^\S+/)![0];
  const args: Directive["args"] = [];
  let rest = head.slice(command.length).trimStart();
  while (rest.length > 0) {
    const key = rest.match(/^[^\s=]+/)?.[0];
    if (!key) throw new Error(`line ${line}: cannot read "${rest}"`);
    rest = rest.slice(key.length);
    let values: string[] = [];
    if (rest.startsWith("=")) [values, rest] = readValue(rest.slice(1), line);
    args.push({ key, values });
    rest = rest.trimStart();
  }
  return { command, args };
}

function readValue(text: string, line: number): [values: string[], rest: string] {
  if (!text.startsWith("(")) {
    const value = text.match(/^\S*/)![0];
    return [[value], text.slice(value.length)];
  }
  const values = [""];
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at]!;
    if (char === ")" && --depth === 0)
      return [values.length === 1 && values[0] === "" ? [] : values, text.slice(at + 1)];
    if (char === "," && depth === 1) values.push("");
    else if (depth > 0 && !(char === " " && values.at(-1) === "")) values[values.length - 1] += char;
    if (char === "(") depth += 1;
  }
  throw new Error(`line ${line}: an open bracket in "${text}"`);
}

/** The only value of an argument, or undefined if it is not given. */
export const argOf = ({ args }: Directive, key: string): string | undefined =>
  args.find((arg) => arg.key === key)?.values[0];
export const listOf = ({ args }: Directive, key: string): string[] => args.find((arg) => arg.key === key)?.values ?? [];
export const flagOf = (directive: Directive, key: string): boolean => argOf(directive, key) === "true";
/** Bare numbers, in order. */
export const numbersOf = ({ args }: Directive): number[] =>
  args.filter(({ key, values }) => values.length === 0 && /^\d+$/.test(key)).map(({ key }) => Number(key));
