/*
 * LevelDB's write-ahead log (its doc/log_format.md): blocks of 32 KiB; in them records of a header (masked CRC-32C of
 * type and payload, 4 bytes; length, 2; type, 1) and a payload; a write longer than a block is cut into FIRST, MIDDLE…,
 * LAST. Only reading, and only to tell a torn last write, which LevelDB rightly drops, from a lost middle, which it drops too.
 */
const BLOCK_BYTES = 32 * 1024;
const HEADER_BYTES = 7;
/** What each write begins with. */
const SEQUENCE_BYTES = 8;
const FULL = 1;
const FIRST = 2;
const MIDDLE = 3;
const LAST = 4;
/** LevelDB's mask, so that a checksum of bytes that hold checksums stays a good one. */
const MASK_DELTA = 0xa282ead8;

/**
 * The logs in order, as one stream. There is never more than one write under way, so a bad place with the beginning of a
 * good and later write anywhere behind it hit something that was acknowledged: the answer says where. A bad place with
 * nothing behind it is taken for a torn last write; damage to exactly the last acknowledged one cannot be told from that.
 */
export function findLostMiddle(logs: Uint8Array[]): string | undefined {
  let damagedAt: number | undefined;
  let lastSequence = -1n;
  let offset = 0;
  for (const log of logs) {
    let inside = false;
    for (const { at, type, sequence } of recordsIn(log)) {
      const begins = type === FULL || type === FIRST;
      if (type === undefined || begins === inside) damagedAt ??= offset + at;
      // After a power cut some file systems show what an older, deleted file held; that is no later write.
      const isLater = sequence === undefined || sequence > lastSequence;
      if (begins && isLater && damagedAt !== undefined)
        return `the bytes at ${damagedAt} are damaged and a whole write follows at ${offset + at}`;
      if (damagedAt === undefined) lastSequence = sequence ?? lastSequence;
      inside = type === FIRST || type === MIDDLE;
    }
    if (inside) damagedAt ??= offset + log.length;
    offset += log.length;
  }
  return undefined;
}

interface LogRecord {
  at: number;
  /** Absent for a place where no record could be read. */
  type?: number;
  /** Of a write's beginning: LevelDB's number of its first operation. Absent if it is not whole in this record. */
  sequence?: bigint;
}

function* recordsIn(log: Uint8Array): Generator<LogRecord> {
  for (let block = 0; block < log.length; block += BLOCK_BYTES) {
    const bytes = log.subarray(block, block + BLOCK_BYTES);
    let at = 0;
    let lost = false;
    // Fewer bytes than a header are the filling of a block, or a header that was torn.
    while (at + HEADER_BYTES <= bytes.length) {
      const length = recordLength(bytes, at);
      if (length !== undefined) {
        yield recordAt(bytes, at, length, block);
        at += HEADER_BYTES + length;
        lost = false;
      } else {
        if (!lost) yield { at: block + at };
        lost = true;
        // The length may be what is damaged, so every place may be where the next record begins.
        at += 1;
      }
    }
    if (bytes.length < BLOCK_BYTES && at < bytes.length && !lost) yield { at: block + at };
  }
}

function recordAt(bytes: Uint8Array, at: number, length: number, block: number): LogRecord {
  const record = { at: block + at, type: bytes[at + 6]! };
  if (record.type === MIDDLE || record.type === LAST || length < SEQUENCE_BYTES) return record;
  const payload = new DataView(bytes.buffer, bytes.byteOffset + at + HEADER_BYTES, length);
  return { ...record, sequence: payload.getBigUint64(0, true) };
}

/** Length of the payload of the record at `at`, or undefined if there is no whole and sound one. */
function recordLength(bytes: Uint8Array, at: number): number | undefined {
  const length = bytes[at + 4]! | (bytes[at + 5]! << 8);
  const type = bytes[at + 6]!;
  const end = at + HEADER_BYTES + length;
  if (type < FULL || type > LAST || end > bytes.length) return undefined;
  const crc = crc32c(bytes, at + 6, end);
  const masked = (((crc >>> 15) | (crc << 17)) + MASK_DELTA) >>> 0;
  const written = (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
  return masked === written ? length : undefined;
}

/** CRC-32C (Castagnoli, RFC 3720 B.4), which Node does not offer. */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

function crc32c(bytes: Uint8Array, from: number, to: number): number {
  let crc = 0xffffffff;
  for (let i = from; i < to; i++) crc = (crc >>> 8) ^ TABLE[(crc ^ bytes[i]!) & 0xff]!;
  return (crc ^ 0xffffffff) >>> 0;
}
