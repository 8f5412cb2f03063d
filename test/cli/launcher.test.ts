import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { temporaryFolder } from "../support/temporary.ts";

const LAUNCHER = fileURLToPath(new URL("../../agent/cli/skein.js", import.meta.url));

/** A Node of this machine that is too old to run Skein itself. */
const oldNode = ["/usr/bin/node", "/usr/local/bin/node"].find((path) => {
  if (!existsSync(path)) return false;
  const [major = 0] = execFileSync(path, ["-p", "process.versions.node"], { encoding: "utf8" }).split(".").map(Number);
  return major < 22;
});

/** The launcher alone in a package, with whatever stands for the pinned Node: a script that tells what it was given. */
function packageWith(pinned: string | undefined, place: string): string {
  const root = join(temporaryFolder(), "node_modules", "skein");
  mkdirSync(join(root, "agent", "cli"), { recursive: true });
  copyFileSync(LAUNCHER, join(root, "agent", "cli", "skein.js"));
  writeFileSync(join(root, "package.json"), '{"type":"module"}');
  if (pinned !== undefined) {
    const path = join(root, place);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, pinned);
    chmodSync(path, 0o755);
  }
  return join(root, "agent", "cli", "skein.js");
}

const OWN = `node_modules/node-linux-${process.arch}/bin/node`;
const BESIDE = `../node-linux-${process.arch}/bin/node`;

test("a Node that can run Skein does, from the sources", () => {
  const { stdout, stderr, status } = spawnSync(process.execPath, [LAUNCHER, "--version"], { encoding: "utf8" });
  expect([stdout, stderr, status]).toEqual(["0.1.0\n", "", 0]);
});

test("the exit code of the command is the process's", () => {
  const { stderr, status } = spawnSync(process.execPath, [LAUNCHER, "bogus"], { encoding: "utf8" });
  expect(stderr).toContain("unknown command");
  expect(status).toBe(2);
});

test("through a link, as npm puts it on the PATH, it finds its package", () => {
  const link = join(temporaryFolder(), "skein");
  symlinkSync(LAUNCHER, link);
  expect(execFileSync(process.execPath, [link, "--version"], { encoding: "utf8" })).toBe("0.1.0\n");
});

test("under node_modules the built JavaScript is run, since Node strips no types there", () => {
  const launcher = packageWith(undefined, "");
  const dist = join(launcher, "..", "..", "..", "dist", "agent", "cli");
  mkdirSync(dist, { recursive: true });
  writeFileSync(
    join(dist, "index.js"),
    "export const main = async (args) => (console.log('built', ...args), 7); export const systemWorld = () => ({});",
  );
  const { stdout, status } = spawnSync(process.execPath, [launcher, "status"], { encoding: "utf8" });
  expect([stdout, status]).toEqual(["built status\n", 7]);
});

test.skipIf(oldNode === undefined)("too old a Node hands over to the pinned one, which runs Skein", () => {
  const { stdout, stderr, status } = spawnSync(oldNode!, [LAUNCHER, "--version"], { encoding: "utf8" });
  expect([stdout, stderr, status]).toEqual(["0.1.0\n", "", 0]);
});

test.skipIf(oldNode === undefined).each([OWN, BESIDE, "node_modules/.bin/node", "../.bin/node"])(
  "the pinned Node is found at %s and gets the arguments, stdin and its own exit code",
  (place) => {
    const launcher = packageWith('#!/bin/sh\necho "$2 $3 $4"; cat; exit 42\n', place);
    const args = [launcher, "run", "--out", "a b"];
    const { stdout, status } = spawnSync(oldNode!, args, { encoding: "utf8", input: "from stdin" });
    expect([stdout, status]).toEqual(["run --out a b\nfrom stdin", 42]);
  },
);

test.skipIf(oldNode === undefined)("without a pinned Node one line says what to do", () => {
  const { stdout, stderr, status } = spawnSync(oldNode!, [packageWith(undefined, ""), "status"], { encoding: "utf8" });
  expect(stdout).toBe("");
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect(stderr).toContain("Node 22.12 or later");
  expect(status).toBe(4);
});

test.skipIf(oldNode === undefined)(
  "signals reach the pinned Node, and its death by one is the launcher's",
  async () => {
    // Between short sleeps: a signal just before a `wait` would be noticed only when that has ended.
    const script = `#!/bin/sh
trap 'echo got TERM; trap - TERM; kill -TERM $$' TERM
echo ready
while :; do sleep 0.05 >/dev/null 2>&1; done
`;
    const launcher = spawn(oldNode!, [packageWith(script, OWN), "start"], { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    launcher.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      if (text === "") launcher.kill("SIGTERM");
      text += chunk;
    });
    const [code, signal] = (await once(launcher, "close")) as [number | null, string | null];
    expect(text).toBe("ready\ngot TERM\n");
    expect([code, signal]).toEqual([null, "SIGTERM"]);
  },
);
