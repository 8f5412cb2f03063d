import type { Connection, Stream } from "@libp2p/interface";
import { SkeinError } from "../../../shared/errors.ts";
import type { LinkView } from "../../../shared/fleet.ts";
import type { NodeId } from "../../../shared/ids.ts";
import { LIMITS, TIMING } from "../../../shared/limits.ts";
import { errorFrom, sever } from "./framing.ts";
import { Lane } from "./lane.ts";
import { Requests, type RequestsInit } from "./requests.ts";
import { RoundTrips } from "./round-trips.ts";
import { type Heartbeat, type Hello, invalid, WIRE } from "./wire.ts";

export const PROTOCOLS = { consensus: "/skein/consensus/1", request: "/skein/request/1" } as const;
export type LaneName = keyof typeof PROTOCOLS;

export interface LinkListener {
  /** Both lanes stand and the other side said hello: it lets us in. */
  linkOpened(link: Link, hello: Hello): void;
  linkSuspected(link: Link): void;
  linkTrusted(link: Link): void;
  /** Once, at the end; also for a link that never opened. */
  linkClosed(link: Link): void;
  /** May throw FRAME_INVALID. */
  consensusHeard(from: NodeId, message: Uint8Array): void;
}

export interface LinkInit extends Pick<RequestsInit, "answers" | "telemetry"> {
  self: NodeId;
  peer: NodeId;
  connection: Connection;
  hello: Hello;
  listener: LinkListener;
}

/** Then one is sent however much else flows: once a second. */
const HEARTBEATS_SPARED_MAX = Math.round(1_000 / TIMING.linkHeartbeatMs);

type State = "opening" | "up" | "suspect" | "closed";

/**
 * One connection with its two lanes, which live and die together: when a lane ends, so does the connection, and the
 * dialler makes a new one. The side that dialled opens the lanes.
 */
export class Link {
  readonly peer: NodeId;
  readonly requests: Requests;
  readonly #init: LinkInit;
  readonly #lanes: Partial<Record<LaneName, Lane>> = {};
  readonly #roundTrips = new RoundTrips();
  readonly #openBy = setTimeout(() => this.close("the lanes were not opened in time"), TIMING.linkOpenMs);
  #state: State = "opening";
  #heardAtMs = performance.now();
  #spokenAtMs = Number.NEGATIVE_INFINITY;
  #heartbeatAtMs = Number.NEGATIVE_INFINITY;
  #heartbeatsSpared = 0;

  constructor(init: LinkInit) {
    this.#init = init;
    this.peer = init.peer;
    this.requests = new Requests({
      ...init,
      send: (body, headroomBytes) => this.#send("request", body, headroomBytes),
      breakOff: (error) => this.#breakOff(error),
    });
    init.connection.addEventListener("close", () => this.#closed("the connection closed"));
    if (init.connection.direction === "outbound") void this.#openLanes();
  }

  get state(): State {
    return this.#state;
  }

  get connection(): Connection {
    return this.#init.connection;
  }

  view(): LinkView {
    const rttMs = this.#roundTrips.medianMs();
    return {
      nodeId: this.peer,
      state: this.#state === "up" || this.#state === "suspect" ? this.#state : "down",
      ...(rttMs === undefined ? {} : { rttMs }),
      silentMs: Math.round(performance.now() - this.#heardAtMs),
    };
  }

  sendConsensus(message: Uint8Array): boolean {
    if (message.byteLength > LIMITS.frameBytesMax) return false;
    return this.#send("consensus", message);
  }

  #send(name: LaneName, body: Uint8Array, headroomBytes?: number): boolean {
    const sent = this.#lanes[name]?.send(body, headroomBytes) ?? false;
    if (sent) this.#spokenAtMs = performance.now();
    return sent;
  }

  /** For every byte from the peer, on lanes and bulk streams alike. */
  bytesHeard(): void {
    this.#heardAtMs = performance.now();
    if (this.#state !== "suspect") return;
    this.#state = "up";
    this.#init.listener.linkTrusted(this);
  }

  /** One heartbeat's turn. `stalledMs`: time this process itself stood still, which is no silence of the peer. */
  tick(stalledMs: number): void {
    if (this.#state === "closed" || this.#state === "opening") return;
    this.#heardAtMs += stalledMs;
    const nowMs = performance.now();
    const silentMs = nowMs - this.#heardAtMs;
    if (silentMs >= TIMING.linkDownMs) {
      this.close(`nothing was heard for ${Math.round(silentMs)} ms`);
      return;
    }
    this.#beat(nowMs);
    if (silentMs < TIMING.linkSuspectMs || this.#state === "suspect") return;
    this.#state = "suspect";
    this.#init.listener.linkSuspected(this);
  }

  /** Where consensus or requests flow, they are sign of life enough; the round trip is still measured now and then. */
  #beat(nowMs: number): void {
    const restMs = this.#answersHeartbeats ? 1.2 * TIMING.linkHeartbeatMs : TIMING.linkHeartbeatMs / 2;
    if (nowMs - this.#heartbeatAtMs < restMs) return;
    const isTalking = nowMs - this.#spokenAtMs < TIMING.linkHeartbeatMs;
    if (isTalking && ++this.#heartbeatsSpared < HEARTBEATS_SPARED_MAX) return;
    this.#sendHeartbeat(nowMs);
  }

  #sendHeartbeat(nowMs: number): void {
    this.#heartbeatAtMs = nowMs;
    this.#heartbeatsSpared = 0;
    this.#lanes.request?.send(WIRE.frame.encode({ heartbeat: this.#roundTrips.next(nowMs) }));
  }

  /** The higher id answers in the turn of the loop it was woken for anyway, which spares it one of its own. */
  get #answersHeartbeats(): boolean {
    return this.#init.self > this.peer;
  }

  /** Not every heartbeat is answered, or two that both answer would never stop. */
  #heartbeatHeard(heartbeat: Heartbeat): void {
    const nowMs = performance.now();
    this.#roundTrips.heard(heartbeat, nowMs);
    const isDue = nowMs - this.#heartbeatAtMs >= TIMING.linkHeartbeatMs / 2;
    if (isDue && this.#answersHeartbeats) this.#sendHeartbeat(nowMs);
  }

  /** The accepting side gets its lanes here. */
  laneOpened(name: LaneName, stream: Stream): void {
    if (this.#state === "closed") {
      stream.abort(new Error("the link is closed"));
      return;
    }
    if (this.#lanes[name]) {
      this.#breakOff(invalid(`a second ${name} lane was opened`));
      return;
    }
    this.#lanes[name] = new Lane(stream, {
      bytesHeard: () => this.bytesHeard(),
      frameHeard: (body) => this.#frameHeard(name, body),
      closed: (error) => (error instanceof SkeinError ? this.#breakOff(error) : this.close(`the ${name} lane closed`)),
    });
    if (this.#lanes.consensus && this.#lanes.request)
      this.#lanes.request.send(WIRE.frame.encode({ hello: this.#init.hello }));
  }

  close(reason: string): void {
    if (this.#state === "closed") return;
    this.#closed(reason);
    sever(this.#init.connection, reason);
  }

  async #openLanes(): Promise<void> {
    const { connection } = this.#init;
    try {
      const signal = AbortSignal.timeout(TIMING.linkOpenMs);
      for (const name of ["consensus", "request"] as const)
        this.laneOpened(name, await connection.newStream(PROTOCOLS[name], { signal }));
    } catch (error) {
      this.close(`the lanes could not be opened (${errorFrom(error).message})`);
    }
  }

  #frameHeard(name: LaneName, body: Uint8Array): void {
    if (name === "consensus") {
      this.#init.listener.consensusHeard(this.peer, body);
      return;
    }
    const { hello, heartbeat, request, answer, failure } = WIRE.frame.decode(body);
    if (hello) this.#helloHeard(hello);
    else if (heartbeat) this.#heartbeatHeard(heartbeat);
    else if (request) this.requests.asked(request);
    else if (answer) this.requests.answered(answer);
    else if (failure) this.requests.failed(failure);
    else throw invalid("a frame of no known kind");
  }

  #helloHeard(hello: Hello): void {
    if (this.#state !== "opening") throw invalid("a second hello");
    if (hello.addresses.length > LIMITS.addressesPerNodeMax || hello.name.length > LIMITS.nameBytesMax)
      throw invalid("a hello with too much in it");
    this.#state = "up";
    clearTimeout(this.#openBy);
    this.#init.listener.linkOpened(this, hello);
  }

  /** The peer said something it must not. */
  #breakOff(error: SkeinError): void {
    if (this.#state === "closed") return;
    const facts = { ...error.facts, peer: this.peer };
    this.#init.telemetry.log("warn", "linkBrokenOff", { ...facts, code: error.code });
    this.close(new SkeinError(error.code, facts).message);
  }

  #closed(reason: string): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    clearTimeout(this.#openBy);
    this.requests.close(reason);
    this.#init.telemetry.log("debug", "linkClosed", { peer: this.peer, reason });
    this.#init.listener.linkClosed(this);
  }
}
