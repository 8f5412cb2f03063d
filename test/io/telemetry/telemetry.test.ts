import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";

const ROOM = new URL("../../../agent/io/telemetry/index.ts", import.meta.url).pathname;
const ERRORS = new URL("../../../shared/errors.ts", import.meta.url).pathname;

/** Runs a few lines in a process of their own, `telemetry` at hand, and returns what came out. */
async function run(options: string, code: string, more: { closeStderr?: true } = {}) {
  const program = `
    import { createTelemetry } from ${JSON.stringify(ROOM)};
    import { SkeinError } from ${JSON.stringify(ERRORS)};
    const telemetry = createTelemetry(${options});
    ${code}`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  if (more.closeStderr) child.stderr.destroy();
  const [stdout, stderr, [exitCode]] = await Promise.all([
    text(child.stdout),
    more.closeStderr ? "" : text(child.stderr),
    once(child, "close"),
  ]);
  return { stdout, lines: stderr.split("\n").filter(Boolean), exitCode };
}

test("a line is one JSON object on stderr: time, level, event and facts", async () => {
  const { stdout, lines, exitCode } = await run(
    `{ level: "info" }`,
    `telemetry.log("warn", "linkLost", { peer: "abc", silentMs: 2500 });
     telemetry.log("debug", "notTold");
     telemetry.log("info", "agentStarted");`,
  );
  expect([stdout, exitCode]).toEqual(["", 0]);
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { level: "warn", time: expect.stringMatching(/^\d{4}-.*Z$/), peer: "abc", silentMs: 2500, event: "linkLost" },
    { level: "info", time: expect.any(String), event: "agentStarted" },
  ]);
});

test("errors tell their code and facts, bytes their count, and long texts their beginning", async () => {
  const { lines } = await run(
    `{ level: "info" }`,
    `telemetry.log("error", "putFailed", {
       known: new SkeinError("BLOB_MISSING", { hash: "00" }), unknown: new TypeError("odd"),
       bytes: new Uint8Array(9), large: 2n ** 70n, text: "x".repeat(5000) });`,
  );
  expect(JSON.parse(lines[0]!)).toMatchObject({
    known: { code: "BLOB_MISSING", facts: { hash: "00" } },
    unknown: { message: "odd", stack: expect.stringContaining("TypeError: odd") },
    bytes: "9 bytes",
    large: "1180591620717411303424",
    text: `${"x".repeat(2000)}…`,
  });
});

test("facts that cannot be told do not stop the teller, and the event is told without them", async () => {
  const { lines, exitCode } = await run(
    `{ level: "info" }`,
    `const circle = {}; circle.self = circle;
     telemetry.log("info", "circleSeen", { circle });
     telemetry.log("info", "bombSeen", { bomb: { toJSON() { throw new Error("boom"); } } });
     telemetry.log("info", "trapSeen", { get trap() { throw new Error("boom"); } });
     telemetry.log("info", "nextSeen");`,
  );
  expect(exitCode).toBe(0);
  expect(lines.map((line) => JSON.parse(line).event)).toEqual(["circleSeen", "bombSeen", "trapSeen", "nextSeen"]);
});

test("a reader of stderr that goes away does not end the agent", async () => {
  const { stdout, exitCode } = await run(
    `{ level: "info" }`,
    `for (let line = 0; line < 200; line++) {
       telemetry.log("info", "lineWritten", { line });
       if (line % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
     }
     console.log("still here");`,
    { closeStderr: true },
  );
  expect([stdout, exitCode]).toEqual(["still here\n", 0]);
});

test("a line for a person is short and has no braces", async () => {
  const { lines } = await run(
    `{ level: "info", pretty: true }`,
    `telemetry.log("warn", "linkLost", { peer: "abc", silentMs: 2500, why: "no bytes", error: new Error("gone") });`,
  );
  expect(lines).toEqual([
    expect.stringMatching(
      /^\d\d:\d\d:\d\d\.\d{3} warn {2}linkLost peer=abc silentMs=2500 why="no bytes" error="gone"$/,
    ),
  ]);
});
