import type { Stream } from "@libp2p/interface";

/** What a yamux stream keeps of its receive window; not part of libp2p's interface. */
interface ReceiveWindow {
  recvWindow?: number;
  recvWindowCapacity?: number;
  sendWindowUpdate?: () => void;
}

/**
 * js-libp2p renews the window after every frame it receives. That doubles the packets of small talk, and cuts a bulk
 * transfer into ever smaller frames; Go's yamux waits until half of the window is used up, and so do this room's streams.
 * Where a later version has no such insides, nothing is changed.
 */
export function renewWindowAtHalf(stream: Stream): void {
  const inside = stream as unknown as ReceiveWindow;
  const renew = inside.sendWindowUpdate?.bind(stream);
  if (!renew || inside.recvWindow === undefined || inside.recvWindowCapacity === undefined) return;
  inside.sendWindowUpdate = () => {
    if ((inside.recvWindowCapacity ?? 0) <= (inside.recvWindow ?? 0) / 2) renew();
  };
}
