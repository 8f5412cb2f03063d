/** What this node must still know after a restart and the fleet does not: small things under a key, as bytes. */
export interface Notes {
  /** Every note whose key begins with `prefix`, in the order of the keys. */
  list(prefix: string): Promise<Map<string, Uint8Array>>;
  /**
   * All of it or nothing, durable (fsync) when the promise resolves; in call order. Writes that wait share an fsync.
   * @throws DISK_FULL
   */
  write(changes: NoteChange[]): Promise<void>;
  close(): Promise<void>;
}

/** Without `value` the note is taken away. Keys are short texts; values at most LIMITS.noteBytesMax. */
export interface NoteChange {
  key: string;
  value?: Uint8Array;
}
