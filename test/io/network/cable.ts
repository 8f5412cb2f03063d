/** A TCP cable that can be pulled: it then carries nothing, and says nothing about it. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export class Cable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isPulled = false;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async to(address: string): Promise<Cable> {
    const port = Number(address.split("/tcp/")[1]);
    const server = createServer();
    const cable = new Cable(server);
    server.on("connection", (socket) => cable.#join(socket, connect(port, "127.0.0.1")));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return cable;
  }

  get address(): string {
    return `/ip4/127.0.0.1/tcp/${(this.#server.address() as AddressInfo).port}`;
  }

  /** Connections that go through it now. */
  get connections(): number {
    return this.#sockets.size / 2;
  }

  pull(): void {
    this.#isPulled = true;
    for (const socket of this.#sockets) socket.pause();
  }

  plug(): void {
    this.#isPulled = false;
    for (const socket of this.#sockets) socket.resume();
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(near: Socket, far: Socket): void {
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(socket);
      socket.on("data", (bytes) => other.write(bytes));
      socket.on("error", () => socket.destroy());
      socket.on("close", () => {
        this.#sockets.delete(socket);
        if (!this.#isPulled) other.destroy();
      });
      if (this.#isPulled) socket.pause();
    }
  }
}
