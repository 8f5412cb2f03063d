import fc from "fast-check";
import { expect, test } from "vitest";
import { FrameReader, framed } from "../../../agent/io/network/framing.ts";

const readAll = (reader: FrameReader, pieces: Uint8Array[]): Uint8Array[] => {
  const frames: Uint8Array[] = [];
  for (const piece of pieces) reader.push(piece, (body) => void frames.push(body));
  return frames;
};

test("frames come out as they went in, however the stream is cut", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { minLength: 1, maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
      (bodies, cuts) => {
        const stream = Buffer.concat(bodies.map(framed));
        const pieces: Uint8Array[] = [];
        for (let at = 0, i = 0; at < stream.byteLength; i++) {
          const size = cuts[i % cuts.length]!;
          pieces.push(stream.subarray(at, at + size));
          at += size;
        }
        expect(readAll(new FrameReader(300), pieces).map((body) => [...body])).toEqual(bodies.map((body) => [...body]));
      },
    ),
  );
});

test("a frame's body is the reader's own copy", () => {
  const stream = framed(Uint8Array.from([1, 2, 3]));
  const [body] = readAll(new FrameReader(10), [stream]);
  stream.fill(9);
  expect([...body!]).toEqual([1, 2, 3]);
});

test("a length over the limit, or of zero, is refused as soon as it is read", () => {
  for (const [length, limit] of [
    [101, 100],
    [0xffffffff, 1024],
    [0, 100],
  ] as const) {
    const header = new Uint8Array(4);
    new DataView(header.buffer).setUint32(0, length);
    expect(() => new FrameReader(limit).push(header, () => undefined)).toThrow(
      expect.objectContaining({ code: "FRAME_INVALID" }),
    );
  }
});

test("a reader that is told to stop says how far it read", () => {
  const stream = Buffer.concat([framed(Uint8Array.from([1])), Uint8Array.from([7, 7, 7])]);
  expect(new FrameReader(10).push(stream, () => "stop")).toBe(5);
});
