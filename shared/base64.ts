/** Arguments of one call are few; a multiple of three, so that pieces of the text join without padding between them. */
const PIECE_BYTES = 24_576;

/** Bytes as text, as RFC 4648 has it. */
export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += PIECE_BYTES)
    // Every result is signed: spread out, the bytes cost five times as much.
    text += btoa(String.fromCharCode.apply(null, bytes.subarray(at, at + PIECE_BYTES) as unknown as number[]));
  return text;
}

/** Undefined for whatever `toBase64` does not write: one text for the same bytes, so that none can be exchanged for another. */
export function fromBase64(text: string): Uint8Array | undefined {
  try {
    const letters = atob(text);
    const bytes = new Uint8Array(letters.length);
    for (let at = 0; at < bytes.length; at++) bytes[at] = letters.charCodeAt(at);
    return toBase64(bytes) === text ? bytes : undefined;
  } catch {
    return undefined;
  }
}
