import type { LogIndex } from "../../../shared/raft.ts";

interface Flight {
  /** Of the last entry in the message. */
  lastIndex: LogIndex;
  bytes: number;
}

/** Append messages sent to one peer and not yet answered, oldest first; bounded by count and by bytes. */
export class Inflights {
  private readonly flights: Flight[] = [];
  private bytes = 0;
  private readonly messagesMax: number;
  private readonly bytesMax: number;

  constructor(messagesMax: number, bytesMax: number) {
    this.messagesMax = messagesMax;
    this.bytesMax = bytesMax;
  }

  get count(): number {
    return this.flights.length;
  }

  get full(): boolean {
    return this.flights.length >= this.messagesMax || this.bytes >= this.bytesMax;
  }

  add(lastIndex: LogIndex, bytes: number): void {
    this.flights.push({ lastIndex, bytes });
    this.bytes += bytes;
  }

  /** Frees every message up to `index`: an acknowledgement of a later one covers the earlier ones. */
  freeTo(index: LogIndex): void {
    while (this.flights.length > 0 && this.flights[0]!.lastIndex <= index) this.bytes -= this.flights.shift()!.bytes;
  }

  clear(): void {
    this.flights.length = 0;
    this.bytes = 0;
  }
}
