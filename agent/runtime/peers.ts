import { SkeinError } from "../../shared/errors.ts";
import type { NodeId } from "../../shared/ids.ts";
import type { Answer, PeerMethod, Question } from "../../shared/peer-requests.ts";
import { PEER_WIRE } from "../../shared/wire/peer.ts";
import type { PeerNetwork, RequestOptions } from "../ports/index.ts";

/** Requests between agents with their types: nouns in, nouns out, bytes only in the middle. A node may ask itself. */
export class Peers {
  readonly #network: PeerNetwork;
  readonly #own = new Map<PeerMethod, (from: NodeId, question: never) => Promise<unknown>>();

  constructor(network: PeerNetwork) {
    this.#network = network;
  }

  get self(): NodeId {
    return this.#network.self;
  }

  async ask<M extends PeerMethod>(
    to: NodeId,
    method: M,
    question: Question<M>,
    options?: RequestOptions,
  ): Promise<Answer<M>> {
    if (to === this.self) return this.#askSelf(method, question);
    const wire = PEER_WIRE[method];
    const bytes = await this.#network.request(to, method, wire.question.encode(question), options);
    return wire.answer.decode(bytes);
  }

  answer<M extends PeerMethod>(method: M, answer: (from: NodeId, question: Question<M>) => Promise<Answer<M>>): void {
    const wire = PEER_WIRE[method];
    this.#own.set(method, answer as never);
    this.#network.onRequest(method, async (from, body) =>
      wire.answer.encode(await answer(from, wire.question.decode(body))),
    );
  }

  async #askSelf<M extends PeerMethod>(method: M, question: Question<M>): Promise<Answer<M>> {
    const answer = this.#own.get(method);
    if (!answer) throw new SkeinError("INTERNAL", { reason: `nobody answers ${method}` });
    return (await answer(this.self, question as never)) as Answer<M>;
  }
}
