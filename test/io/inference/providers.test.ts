/** Execution providers are tried in processes of their own: what works, what is absent, what crashes or hangs. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { tryProviders } from "../../../agent/io/inference/index.ts";

// Trials run below everything else on the machine.
vi.setConfig({ testTimeout: 120_000 });

/** A program in the place of the trial's. */
function program(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "skein-trial-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "trial.mjs");
  writeFileSync(file, text);
  return file;
}

test("the CPU works, whether it is named or not; of others it is said what is missing", async () => {
  const trials = await tryProviders(["qnn", "tensorrt", "qnn"]);
  expect(trials.map(({ name, works }) => [name, works])).toEqual([
    ["qnn", false],
    ["tensorrt", false],
    ["cpu", true],
  ]);
  const [qnn, tensorrt, cpu] = trials.map(({ reason }) => reason);
  expect(qnn).toMatch(/backend not found/);
  expect(tensorrt).toMatch(/libonnxruntime_providers_shared\.so: cannot open shared object file|no available backend/);
  expect(cpu).toMatch(/^made a session and ran it in \d+ ms$/);
});

test("a provider that crashes its process does not work, and its last words say why", async () => {
  const crash = program('process.stderr.write("CUDA driver is too old", () => process.abort());');
  const [cuda] = await tryProviders(["cuda"], { file: crash });
  expect(cuda).toEqual({
    name: "cuda",
    works: false,
    reason: expect.stringMatching(/^its process ended with SIGABRT: CUDA/),
  });
});

test("a provider that hangs is given up", async () => {
  const hang = program("setInterval(() => {}, 1000);");
  const [cuda] = await tryProviders(["cuda"], { file: hang, deadlineMs: 300 });
  expect(cuda).toEqual({ name: "cuda", works: false, reason: "it took longer than 300 ms" });
});

test("a process that ends without a word, or says nonsense, is no provider that works", async () => {
  expect((await tryProviders(["cuda"], { file: program("") }))[0]).toMatchObject({ works: false });
  const liar = program('process.send({ works: "yes", reason: 7 });');
  expect((await tryProviders(["cuda"], { file: liar, deadlineMs: 20_000 }))[0]).toMatchObject({ works: false });
});
