import fc from "fast-check";
import { expect, test } from "vitest";
import { errorOf, failureOf, WIRE } from "../../../agent/io/network/wire.ts";
import { SkeinError } from "../../../shared/errors.ts";

test("no bytes at all make a decoder throw anything but FRAME_INVALID", () => {
  const valid = Object.values(WIRE).map((wire) => wire.encode({} as never));
  const mangled = fc
    .tuple(fc.constantFrom(...valid), fc.uint8Array({ maxLength: 64 }))
    .map(([head, tail]) => Buffer.concat([head, tail]));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 128 }), mangled), (bytes) => {
      for (const wire of Object.values(WIRE))
        try {
          wire.decode(bytes);
        } catch (error) {
          expect(error).toMatchObject({ code: "FRAME_INVALID" });
        }
    }),
    { numRuns: 2_000 },
  );
});

test("groups nested without end are refused like any other garbage", () => {
  expect(() => WIRE.frame.decode(new Uint8Array(1_000_000).fill(0x7b))).toThrow(
    expect.objectContaining({ code: "FRAME_INVALID" }),
  );
});

test("a frame of another version is refused by its number", () => {
  const frame = WIRE.frame.encode({ heartbeat: { sequence: 1, echo: 0, heldMicros: 0 } });
  frame[1] = 2;
  expect(() => WIRE.frame.decode(frame)).toThrow(/version 2; this agent knows 1/);
});

test("empty bodies stay bytes", () => {
  const frame = WIRE.frame.decode(WIRE.frame.encode({ request: { id: 1, method: "m", body: new Uint8Array(0) } }));
  expect(frame.request?.body).toBeInstanceOf(Uint8Array);
});

test("an error crosses with its code and facts, and without facts that are too many", () => {
  const small = new SkeinError("TOO_LARGE", { what: "it", actual: 2, limit: 1 });
  expect(errorOf(failureOf(7, small))).toMatchObject({ code: "TOO_LARGE", facts: small.facts });
  const big = new SkeinError("TOO_LARGE", { what: "x".repeat(100_000) });
  expect(errorOf(failureOf(7, big))).toMatchObject({ code: "TOO_LARGE", facts: {} });
});

test("what a peer calls an error but is none becomes INTERNAL", () => {
  for (const [code, factsJson] of [
    ["NO_SUCH_CODE", "{}"],
    ["__proto__", "{}"],
    ["", "not json"],
  ] as const)
    expect(errorOf({ id: 1, code, factsJson }).code).toBe("INTERNAL");
  expect(errorOf({ id: 1, code: "NO_LEADER", factsJson: "[1" })).toMatchObject({ code: "NO_LEADER", facts: {} });
});
