/** Bytes as text, as RFC 4648 has it: signatures and the like, a few kilobytes at most. */
export function toBase64(bytes: Uint8Array): string {
  // Every result is signed: spread out, the bytes cost five times as much.
  return btoa(String.fromCharCode.apply(null, bytes as unknown as number[]));
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
