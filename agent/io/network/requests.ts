import { SkeinError } from "../../../shared/errors.ts";
import type { NodeId } from "../../../shared/ids.ts";
import { LIMITS, TIMING } from "../../../shared/limits.ts";
import type { RequestAnswer, RequestOptions, Telemetry } from "../../ports/index.ts";
import { type Answer, errorOf, type Failure, type Frame, failureOf, invalid, type Request, WIRE } from "./wire.ts";

/** Room that refusals have beyond the lane's bound: a peer that does not even read those is hung up on. */
const REFUSAL_HEADROOM_BYTES = 64 * 1024;
const METHOD = /^[A-Za-z][A-Za-z0-9.-]{0,63}$/;

export interface RequestsInit {
  self: NodeId;
  peer: NodeId;
  answers: ReadonlyMap<string, RequestAnswer>;
  /** Puts a frame on the request lane. */
  send(body: Uint8Array, headroomBytes?: number): boolean;
  /** Hangs up. */
  breakOff(error: SkeinError): void;
  telemetry: Telemetry;
}

interface Pending {
  resolve(body: Uint8Array): void;
  reject(error: unknown): void;
}

/** Requests to one peer that wait for their answers, and requests of that peer that are being answered. */
export class Requests {
  readonly #init: RequestsInit;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #answering = 0;
  #answeringBytes = 0;
  #closed = false;

  constructor(init: RequestsInit) {
    this.#init = init;
  }

  ask(method: string, body: Uint8Array, options: RequestOptions = {}): Promise<Uint8Array> {
    const { peer } = this.#init;
    options.signal?.throwIfAborted();
    if (this.#pending.size >= LIMITS.requestsPerPeerMax)
      throw new SkeinError("PEER_BUSY", {
        peer,
        reason: `${LIMITS.requestsPerPeerMax} requests wait for their answers`,
      });
    const id = this.#nextId();
    const frame = WIRE.frame.encode({ request: { id, method, body } });
    if (frame.byteLength > LIMITS.frameBytesMax)
      throw new SkeinError("TOO_LARGE", {
        what: `A ${method} request`,
        actual: frame.byteLength,
        limit: LIMITS.frameBytesMax,
      });
    if (!this.#init.send(frame))
      throw new SkeinError("PEER_BUSY", { peer, reason: "the queue of the request lane is full" });
    return this.#wait(id, method, options);
  }

  #wait(id: number, method: string, options: RequestOptions): Promise<Uint8Array> {
    const deadlineMs = options.deadlineMs ?? TIMING.requestDeadlineMs;
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        options.signal?.removeEventListener("abort", abort);
        this.#pending.delete(id);
      };
      const abort = () => {
        settle();
        reject(options.signal?.reason);
      };
      const timer = setTimeout(() => {
        settle();
        reject(new SkeinError("DEADLINE_EXCEEDED", { what: `${method} at ${this.#init.peer}`, deadlineMs }));
      }, deadlineMs);
      options.signal?.addEventListener("abort", abort, { once: true });
      this.#pending.set(id, {
        resolve: (body) => {
          settle();
          resolve(body);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      });
    });
  }

  #nextId(): number {
    do this.#lastId = (this.#lastId + 1) >>> 0;
    while (this.#lastId === 0 || this.#pending.has(this.#lastId));
    return this.#lastId;
  }

  /** An answer whose request was given up is late, not wrong. */
  answered(answer: Answer): void {
    this.#pending.get(answer.id)?.resolve(answer.body);
  }

  failed(failure: Failure): void {
    this.#pending.get(failure.id)?.reject(errorOf(failure));
  }

  /** @throws FRAME_INVALID */
  asked(request: Request): void {
    if (request.id === 0 || !METHOD.test(request.method)) throw invalid("a request without an id or a method");
    const bytes = request.body.byteLength;
    if (this.#answering >= LIMITS.requestsPerPeerMax || this.#answeringBytes + bytes > LIMITS.requestBytesPerPeerMax) {
      this.#refuse(
        request.id,
        new SkeinError("PEER_BUSY", {
          peer: this.#init.self,
          reason: `it answers ${this.#answering} requests of this node`,
        }),
      );
      return;
    }
    this.#answering++;
    this.#answeringBytes += bytes;
    void this.#answer(request).finally(() => {
      this.#answering--;
      this.#answeringBytes -= bytes;
    });
  }

  async #answer({ id, method, body }: Request): Promise<void> {
    const { answers, self, peer, telemetry } = this.#init;
    let frame: Frame;
    try {
      const answer = answers.get(method);
      if (!answer) throw new SkeinError("BAD_REQUEST", { reason: `this node does not answer ${method}` });
      frame = { answer: { id, body: await answer(peer, body) } };
    } catch (error) {
      const known = SkeinError.from(error);
      if (known.code === "INTERNAL") telemetry.log("error", "requestFailed", { peer, method, error: known.message });
      frame = { failure: failureOf(id, known) };
    }
    if (this.#closed) return;
    const bytes = WIRE.frame.encode(frame);
    if (bytes.byteLength > LIMITS.frameBytesMax)
      this.#refuse(
        id,
        new SkeinError("TOO_LARGE", {
          what: `The answer to ${method}`,
          actual: bytes.byteLength,
          limit: LIMITS.frameBytesMax,
        }),
      );
    else if (!this.#init.send(bytes))
      // Not PEER_BUSY, which means that nothing was done.
      this.#refuse(id, new SkeinError("PEER_UNREACHABLE", { peer: self, reason: "its answers are not being read" }));
  }

  #refuse(id: number, error: SkeinError): void {
    if (this.#closed || this.#init.send(WIRE.frame.encode({ failure: failureOf(id, error) }), REFUSAL_HEADROOM_BYTES))
      return;
    const { peer } = this.#init;
    this.#init.breakOff(new SkeinError("PEER_BUSY", { peer, reason: "it reads neither answers nor refusals" }));
  }

  /** The link broke: what was asked may or may not have been done. */
  close(reason: string): void {
    this.#closed = true;
    for (const pending of [...this.#pending.values()])
      pending.reject(new SkeinError("PEER_UNREACHABLE", { peer: this.#init.peer, reason }));
  }
}
