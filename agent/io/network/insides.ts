/**
 * Two changes to libp2p from outside its interfaces, each worth a third or more of the processor time of small talk. Both
 * look before they touch: where a later version has no such insides, nothing is changed, and a test says so.
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
