/** Looks at a graph's bytes before anything loads them: is it ONNX, is it whole, is it too large. */
import { open, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { GraphFile } from "../../../ports/index.ts";
import { Refused } from "./refusals.ts";

/** Fields of ModelProto (onnx.proto): from ir_version to configuration. */
const fieldMax = 32;

function varint(bytes: Uint8Array, from: number): { value: number; to: number } | undefined {
  let value = 0;
  for (let at = from, weight = 1; at < Math.min(bytes.length, from + 10); at++, weight *= 128) {
    value += (bytes[at]! & 127) * weight;
    if (bytes[at]! < 128) return { value, to: at + 1 };
  }
  return undefined;
}

/**
 * Steps over the outermost fields, reading only where they begin: a message that ends within a field was cut off, and one
 * with fields that no ModelProto has is something else.
 */
async function checkOutline(path: string, bytes: number): Promise<void> {
  const file = await open(path);
  try {
    const head = new Uint8Array(24);
    let at = 0;
    while (at < bytes) {
      const { bytesRead } = await file.read(head, 0, head.length, at);
      const key = varint(head.subarray(0, bytesRead), 0);
      const value = key && varint(head.subarray(0, bytesRead), key.to);
      const kind = key && key.value % 8;
      const field = key && Math.floor(key.value / 8);
      if (!key || !value || !field || field > fieldMax || (kind !== 0 && kind !== 2))
        throw new Refused(at === 0 ? "it is not an ONNX file" : "it is not an ONNX file, or it is damaged");
      at += kind === 0 ? value.to : value.to + value.value;
    }
    if (at > bytes) throw new Refused(`it was cut off: it has ${bytes} of at least ${at} bytes`);
  } finally {
    await file.close();
  }
}

const location = Buffer.from("\x0a\x08location\x12", "latin1");
/** Read at once, and how much of it is read again with the next: the longest name that is looked for. */
const chunkBytes = 1024 ** 2;
const overlapBytes = 4_096;

/** Files that a graph names with the key "location", as external data is named; those that are there, with their bytes. */
async function namedBytes(path: string, bytes: number): Promise<number> {
  const names = new Set<string>();
  const file = await open(path);
  try {
    const chunk = Buffer.alloc(chunkBytes);
    for (let from = 0; from < bytes; from += chunkBytes - overlapBytes) {
      const { bytesRead } = await file.read(chunk, 0, chunkBytes, from);
      const content = chunk.subarray(0, bytesRead);
      for (let at = content.indexOf(location); at >= 0; at = content.indexOf(location, at + 1)) {
        const length = varint(content, at + location.length);
        if (length) names.add(content.toString("utf8", length.to, Math.min(length.to + length.value, bytesRead)));
      }
    }
  } finally {
    await file.close();
  }
  // One that is not there onnxruntime names, if it is external data at all.
  const sizes = [...names].map((name) => stat(join(dirname(path), name)).then(({ size }) => size, nothing));
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

const nothing = (): number => 0;

/** @throws Refused when its bytes alone tell that it cannot be loaded */
export async function checkGraphFile({ folder, path }: GraphFile, memoryBytesMax: number): Promise<void> {
  const file = join(folder, path);
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    throw new Refused(error.code === "ENOENT" ? "the file is not there" : error.message);
  });
  if (!found.isFile() || found.size === 0) throw new Refused(found.isFile() ? "the file is empty" : "it is not a file");
  await checkOutline(file, found.size);
  const needed = found.size + (await namedBytes(file, found.size));
  if (needed > memoryBytesMax)
    throw new Refused(`its weights alone are ${needed} bytes, and it may have ${memoryBytesMax}`);
}
