/** A process that does to itself what its first argument says, with one child, and writes down how it lives. */
import { spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import { createFaults } from "../../../agent/io/faults/index.ts";

const [deed, log, inMs, forMs] = process.argv.slice(2) as [string, string, string, string];
const say = (text: string): void => appendFileSync(log, `${text}\n`);
const faults = createFaults({ onDisk: () => {} });
const isSecondLife = process.env.SKEIN_SECOND_LIFE === "yes";
say(`began ${process.pid} ${process.cwd()}`);
setInterval(() => say(`beat ${Date.now()}`), 50);
if (!isSecondLife) {
  process.env.SKEIN_SECOND_LIFE = "yes";
  const loop = `while kill -0 ${process.pid}; do echo "child $(date +%s%3N)" >> "${log}"; sleep 0.05; done`;
  spawn("/bin/sh", ["-c", loop], { stdio: "ignore" });
  setTimeout(() => process.exit(0), Number(inMs) + Number(forMs) + 2_500);
  say(
    `how ${deed === "kill" ? await faults.kill(Number(inMs), Number(forMs)) : await faults.freeze(Number(inMs), Number(forMs))}`,
  );
} else setTimeout(() => process.exit(0), 500);
