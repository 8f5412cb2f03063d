import { once } from "node:events";
import { createServer } from "node:net";

/** Below the range from which the kernel takes ports for outgoing connections, so that a restarted agent finds its port free. */
const PORTS = { first: 20_000, count: 12_000 };

/** Ports of loopback that nobody listens on now. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = PORTS.first + Math.floor(Math.random() * PORTS.count);
    const server = createServer().listen(port, "127.0.0.1");
    const isFree = await Promise.race([
      once(server, "listening").then(() => true),
      once(server, "error").then(() => false),
    ]).catch(() => false);
    if (isFree) await once(server.close(), "close");
    if (isFree && !ports.includes(port)) ports.push(port);
  }
  return ports;
}
