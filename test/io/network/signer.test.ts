import { expect, test } from "vitest";
import { createIdentity, createSigner } from "../../../agent/io/network/index.ts";
import { node } from "../../support/nouns.ts";
import { pretendSigner } from "../../support/pretend-signer.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test("what a node signed is known by its id alone, and nothing else is", async () => {
  const [mine, other] = [await createIdentity(), await createIdentity()];
  const signer = createSigner(mine.key);
  const elsewhere = createSigner(other.key);
  const signature = signer.sign(bytes("page 1 reads so"));
  expect(signature).toHaveLength(64);
  expect(await elsewhere.verify(mine.nodeId, bytes("page 1 reads so"), signature)).toBe(true);
  expect(await elsewhere.verify(mine.nodeId, bytes("page 1 reads otherwise"), signature)).toBe(false);
  expect(await elsewhere.verify(other.nodeId, bytes("page 1 reads so"), signature)).toBe(false);
  expect(await elsewhere.verify(mine.nodeId, bytes("page 1 reads so"), signature.subarray(1))).toBe(false);
  expect(await elsewhere.verify(node("a"), bytes("page 1 reads so"), signature)).toBe(false);
});

test("the pretend signer tells signatures apart as well", async () => {
  const signature = pretendSigner(node("a")).sign(bytes("x"));
  expect(signature).toHaveLength(64);
  expect(await pretendSigner(node("b")).verify(node("a"), bytes("x"), signature)).toBe(true);
  expect(await pretendSigner(node("b")).verify(node("b"), bytes("x"), signature)).toBe(false);
});
