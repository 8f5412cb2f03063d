/**
 * Three changes to libp2p from outside its interfaces, for the processor time of small talk: the first two are worth a third
 * or more each, the last a tenth in a profile.
 * All look before they touch: where a later version has no such insides, nothing is changed, and a test says so.
 */
import type { Stream } from "@libp2p/interface";

/** What a yamux stream keeps of its receive window. */
interface ReceiveWindow {
  recvWindow?: number;
  recvWindowCapacity?: number;
  sendWindowUpdate?: () => void;
}

/**
 * js-libp2p renews the window after every frame it receives. That doubles the packets of small talk, and cuts a bulk
 * transfer into ever smaller frames; Go's yamux waits until half of the window is used up, and so do this room's streams.
 */
export function renewWindowAtHalf(stream: Stream): void {
  const inside = stream as unknown as ReceiveWindow;
  const renew = inside.sendWindowUpdate?.bind(stream);
  if (!renew || inside.recvWindow === undefined || inside.recvWindowCapacity === undefined) return;
  inside.sendWindowUpdate = () => {
    if ((inside.recvWindowCapacity ?? 0) <= (inside.recvWindow ?? 0) / 2) renew();
  };
}

/** What a TCP connection keeps below the encryption. */
interface SocketCarrier {
  socket?: { cork(): void; uncork(): void };
  sendData?: (data: unknown) => unknown;
}

/**
 * Noise hands TCP a length of two bytes and a ciphertext, and js-libp2p writes them one by one: two system calls, and with
 * Nagle off two packets, for each message. Corked, they leave together.
 */
export function writeTogether(connection: object): void {
  const inside = connection as SocketCarrier;
  const { socket } = inside;
  const send = inside.sendData?.bind(connection);
  if (!send || typeof socket?.cork !== "function" || typeof socket.uncork !== "function") return;
  inside.sendData = (data) => {
    socket.cork();
    try {
      return send(data);
    } finally {
      socket.uncork();
    }
  };
}

/** What noise cuts its ciphertext into messages with; `data` is all that has arrived and was not read yet. */
interface MessageCutter {
  decoder?: { lengthDecoder?: (data: { byteLength: number }) => number };
}

const LENGTH_BYTES = 2;
/** More than can have arrived where not even the length has. */
const LENGTH_UNKNOWN = 0xffff;

/**
 * After each message noise looks for the next, finds no length, and throws an error to itself: a stack trace, from deep
 * within the stack, for every message. A length that is yet to come makes it wait just as well.
 */
export function waitForLengths(secured: object): void {
  const { decoder } = secured as MessageCutter;
  const read = decoder?.lengthDecoder;
  if (!decoder || typeof read !== "function") return;
  decoder.lengthDecoder = (data) => (data.byteLength < LENGTH_BYTES ? LENGTH_UNKNOWN : read(data));
}
