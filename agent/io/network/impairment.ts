import type { Socket } from "node:net";
import { LIMITS } from "../../../shared/limits.ts";
import type { Impairment } from "../../ports/index.ts";

/** A TCP connection as libp2p keeps it, below the encryption. */
interface Carrier {
  status: string;
  socket: Socket;
  sendData(data: Iterable<Uint8Array>): { sentBytes: number; canSendMore: boolean };
  sendReset(): void;
  sendClose(options?: object): Promise<void>;
  sendResume(): void;
  onData(data: Uint8Array): void;
  safeDispatchEvent(type: string): void;
}

type Passing = { dueMs: number; bytes: number; pass: () => void };

/** One direction of a connection: what goes through it waits until it is due, in order. */
class Direction {
  readonly #waiting: Passing[] = [];
  readonly #impairment: () => Impairment | undefined;
  readonly #onRoom: () => void;
  #timer: NodeJS.Timeout | undefined;
  #lastDueMs = 0;
  #bytes = 0;

  constructor(impairment: () => Impairment | undefined, onRoom: () => void) {
    this.#impairment = impairment;
    this.#onRoom = onRoom;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  get isFull(): boolean {
    return this.#bytes >= LIMITS.impairedBytesMax;
  }

  push(bytes: number, pass: () => void): void {
    const impairment = this.#impairment();
    const nowMs = performance.now();
    const { delayMs, bytesPerSecond } = impairment?.kind === "slow" ? impairment : { delayMs: 0, bytesPerSecond: 1e12 };
    this.#lastDueMs = Math.max(nowMs + delayMs, this.#lastDueMs + (1_000 * bytes) / bytesPerSecond);
    this.#waiting.push({ dueMs: this.#lastDueMs, bytes, pass });
    this.#bytes += bytes;
    this.#schedule();
  }

  /** The impairment changed: what a cut held goes on, and what a slow link held needs to wait no longer. */
  changed(): void {
    if (!this.#impairment()) this.#lastDueMs = 0;
    this.#schedule();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const [first] = this.#waiting;
    const impairment = this.#impairment();
    if (!first || impairment?.kind === "cut") return;
    if (!impairment) this.#passDue(Number.POSITIVE_INFINITY);
    else this.#timer = setTimeout(() => this.#passDue(performance.now()), Math.max(0, first.dueMs - performance.now()));
  }

  #passDue(nowMs: number): void {
    const wasFull = this.isFull;
    while (this.#waiting[0] && this.#waiting[0].dueMs <= nowMs) {
      const { bytes, pass } = this.#waiting.shift()!;
      this.#bytes -= bytes;
      pass();
    }
    if (wasFull && !this.isFull) this.#onRoom();
    this.#schedule();
  }
}

/**
 * A drill's harm to every connection of this node, at the lowest place there is: between libp2p and its socket, below the
 * encryption. Cut is a pulled cable: bytes wait on either side as TCP would keep them to send again, a connection that is
 * given up meanwhile ends without a word, and a new one gets no answer.
 */
export class Impairments {
  readonly #gates = new Set<Gate>();
  #now: Impairment | undefined;

  get isCut(): boolean {
    return this.#now?.kind === "cut";
  }

  set(impairment: Impairment | undefined): void {
    this.#now = impairment;
    for (const gate of [...this.#gates]) gate.changed();
  }

  /** From now on this raw connection goes through here. One without the insides that are needed is left alone; a test tells. */
  take(connection: object): void {
    const carrier = connection as Partial<Carrier>;
    const hasInsides = [
      carrier.sendData,
      carrier.sendReset,
      carrier.sendClose,
      carrier.sendResume,
      carrier.onData,
    ].every((inside) => typeof inside === "function");
    if (!hasInsides || !carrier.socket) return;
    const gate = new Gate(carrier as Carrier, () => this.#now);
    this.#gates.add(gate);
    carrier.socket.once("close", () => this.#gates.delete(gate));
    gate.changed();
  }
}

class Gate {
  readonly #carrier: Carrier;
  readonly #impairment: () => Impairment | undefined;
  readonly #out: Direction;
  readonly #in: Direction;
  #isPaused = false;

  constructor(carrier: Carrier, impairment: () => Impairment | undefined) {
    this.#carrier = carrier;
    this.#impairment = impairment;
    this.#out = new Direction(impairment, () => carrier.safeDispatchEvent("drain"));
    this.#in = new Direction(impairment, () => this.#resume());
    this.#wrapSending();
    this.#wrapReading();
  }

  changed(): void {
    if (this.#impairment()?.kind === "cut") this.#pause();
    this.#out.changed();
    this.#in.changed();
    if (this.#impairment()?.kind !== "cut") this.#resume();
  }

  #wrapSending(): void {
    const { socket } = this.#carrier;
    const sendData = this.#carrier.sendData.bind(this.#carrier);
    this.#carrier.sendData = (data) => {
      if (!this.#impairment() && this.#out.isEmpty) return sendData(data);
      const bytes = Buffer.concat([...data]);
      this.#out.push(bytes.byteLength, () => {
        if (socket.writable) socket.write(bytes);
      });
      return { sentBytes: bytes.byteLength, canSendMore: !this.#out.isFull };
    };
    // Neither a FIN nor a reset comes through a cable that is out.
    const sendReset = this.#carrier.sendReset.bind(this.#carrier);
    this.#carrier.sendReset = () => {
      if (this.#impairment()?.kind === "cut") this.#out.push(0, sendReset);
      else sendReset();
    };
    const sendClose = this.#carrier.sendClose.bind(this.#carrier);
    this.#carrier.sendClose = async (options) => {
      if (this.#impairment()?.kind === "cut") this.#out.push(0, () => socket.destroySoon());
      else await sendClose(options);
    };
  }

  #wrapReading(): void {
    const onData = this.#carrier.onData.bind(this.#carrier);
    this.#carrier.onData = (data) => {
      if (!this.#impairment() && this.#in.isEmpty) return onData(data);
      this.#in.push(data.byteLength, () => {
        if (this.#carrier.status === "open" || this.#carrier.status === "closing") onData(data);
      });
      if (this.#in.isFull) this.#pause();
    };
    const sendResume = this.#carrier.sendResume.bind(this.#carrier);
    this.#carrier.sendResume = () => {
      if (!this.#isPaused) sendResume();
    };
  }

  #pause(): void {
    this.#isPaused = true;
    this.#carrier.socket.pause();
  }

  /** Unless libp2p itself has it paused, which then resumes it. */
  #resume(): void {
    if (!this.#isPaused || this.#impairment()?.kind === "cut" || this.#in.isFull) return;
    this.#isPaused = false;
    if ((this.#carrier as { readStatus?: string }).readStatus !== "paused") this.#carrier.socket.resume();
  }
}
