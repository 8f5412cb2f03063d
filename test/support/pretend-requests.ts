/** Requests over the pretend network, with the bounds and the errors of the real room. */
import type { Clock, RequestAnswer, RequestOptions } from "../../agent/ports/index.ts";
import { SkeinError } from "../../shared/errors.ts";
import type { NodeId } from "../../shared/ids.ts";
import { LIMITS, TIMING } from "../../shared/limits.ts";
import type { Packet } from "./pretend-peer.ts";

interface PretendRequestsInit {
  self: NodeId;
  clock: Clock;
  connectionTo(peer: NodeId): string | undefined;
  send(to: NodeId, packet: Packet): boolean;
  isStarted(): boolean;
  /** The process is gone: what waits here waits for ever. */
  isDead(): boolean;
}

interface Pending {
  to: NodeId;
  resolve(body: Uint8Array): void;
  reject(error: unknown): void;
}

const tooLarge = (what: string, actual: number) =>
  new SkeinError("TOO_LARGE", { what, actual, limit: LIMITS.frameBytesMax });

export class PretendRequests {
  readonly #init: PretendRequestsInit;
  readonly #pending = new Map<number, Pending>();
  readonly #answers = new Map<string, RequestAnswer>();
  readonly #answering = new Map<NodeId, number>();
  #lastId = 0;

  constructor(init: PretendRequestsInit) {
    this.#init = init;
  }

  answer(method: string, answer: RequestAnswer): void {
    this.#answers.set(method, answer);
  }

  async ask(to: NodeId, method: string, body: Uint8Array, options: RequestOptions = {}): Promise<Uint8Array> {
    if (this.#init.isDead()) return await new Promise(() => {});
    options.signal?.throwIfAborted();
    const connection = this.#init.connectionTo(to);
    if (!connection) throw new SkeinError("PEER_UNREACHABLE", { peer: to, reason: "there is no link to it" });
    if (body.byteLength > LIMITS.frameBytesMax) throw tooLarge(`A ${method} request`, body.byteLength);
    if (this.#pending.size >= LIMITS.requestsPerPeerMax && this.#pendingAt(to) >= LIMITS.requestsPerPeerMax)
      throw new SkeinError("PEER_BUSY", { peer: to, reason: "too many requests wait for their answers" });
    const id = ++this.#lastId;
    if (!this.#init.send(to, { kind: "request", connection, id, method, body: body.slice() }))
      throw new SkeinError("PEER_BUSY", { peer: to, reason: "the queue of the request lane is full" });
    return await this.#wait(id, to, method, options);
  }

  #pendingAt(peer: NodeId): number {
    let pending = 0;
    for (const { to } of this.#pending.values()) if (to === peer) pending++;
    return pending;
  }

  #wait(id: number, to: NodeId, method: string, options: RequestOptions): Promise<Uint8Array> {
    const deadlineMs = options.deadlineMs ?? TIMING.requestDeadlineMs;
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        cancel();
        options.signal?.removeEventListener("abort", abort);
        this.#pending.delete(id);
      };
      const fail = (error: unknown): void => {
        settle();
        reject(error);
      };
      const abort = (): void => fail(options.signal?.reason);
      const cancel = this.#init.clock.after(deadlineMs, () => {
        if (!this.#init.isDead()) fail(new SkeinError("DEADLINE_EXCEEDED", { what: `${method} at ${to}`, deadlineMs }));
      });
      options.signal?.addEventListener("abort", abort, { once: true });
      const succeed = (body: Uint8Array): void => {
        settle();
        resolve(body);
      };
      this.#pending.set(id, { to, resolve: succeed, reject: fail });
    });
  }

  answered(packet: Packet & { kind: "answer" | "failure" }): void {
    const pending = this.#pending.get(packet.id);
    if (packet.kind === "answer") pending?.resolve(packet.body);
    else pending?.reject(SkeinError.from(packet.error));
  }

  async asked(from: NodeId, { connection, id, method, body }: Packet & { kind: "request" }): Promise<void> {
    const active = this.#answering.get(from) ?? 0;
    let reply: Packet;
    this.#answering.set(from, active + 1);
    try {
      if (active >= LIMITS.requestsPerPeerMax)
        throw new SkeinError("PEER_BUSY", {
          peer: this.#init.self,
          reason: `it answers ${active} requests of this node`,
        });
      const answer = this.#answers.get(method);
      if (!answer) throw new SkeinError("BAD_REQUEST", { reason: `this node does not answer ${method}` });
      const result = await answer(from, body);
      if (result.byteLength > LIMITS.frameBytesMax) throw tooLarge(`The answer to ${method}`, result.byteLength);
      reply = { kind: "answer", connection, id, body: result.slice() };
    } catch (error) {
      const { code, facts } = SkeinError.from(error);
      reply = { kind: "failure", connection, id, error: { code, facts } };
    }
    this.#answering.set(from, (this.#answering.get(from) ?? 1) - 1);
    if (this.#init.isStarted()) this.#init.send(from, reply);
  }

  get answeringMax(): number {
    return Math.max(0, ...this.#answering.values());
  }

  linkClosed(peer: NodeId, reason: string): void {
    for (const pending of [...this.#pending.values()])
      if (pending.to === peer) pending.reject(new SkeinError("PEER_UNREACHABLE", { peer, reason }));
  }
}
