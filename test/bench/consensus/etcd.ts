/** Three etcd members on loopback, spoken to as etcd's own clients do: gRPC over one HTTP/2 connection per member. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type ClientHttp2Session, connect } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import protobuf from "protobufjs";
import { freePorts } from "../../../agent/cli/demo/ports.ts";
import type { Contender, Member } from "./contender.ts";

const { root } = protobuf.parse(
  `syntax = "proto3";
  message PutRequest { bytes key = 1; bytes value = 2; }
  message Header { fixed64 unused = 9; uint64 member_id = 2; }
  message StatusRequest {}
  message StatusResponse { Header header = 1; uint64 leader = 4; }`,
  { keepCase: true },
);
const [PutRequest, StatusResponse] = ["PutRequest", "StatusResponse"].map((name) => root.lookupType(name)) as [
  protobuf.Type,
  protobuf.Type,
];
const STATUS_DEADLINE_MS = 1_000;

/** The installed version, or undefined. */
export function etcdVersion(): string | undefined {
  try {
    return /Version: (\S+)/.exec(execFileSync("etcd", ["--version"], { encoding: "utf8" }))?.[1];
  } catch {
    return undefined;
  }
}

export class EtcdFleet implements Contender {
  readonly name = "etcd";
  readonly members: EtcdMember[] = [];
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async raise(size: number): Promise<EtcdFleet> {
    const fleet = new EtcdFleet(await mkdtemp(join(tmpdir(), "skein-etcd-")));
    const ports = await freePorts(2 * size);
    const peers = Array.from({ length: size }, (_, n) => `m${n}=http://127.0.0.1:${ports[2 * n + 1]}`).join(",");
    for (let n = 0; n < size; n++) {
      const [client, peer] = [`http://127.0.0.1:${ports[2 * n]}`, `http://127.0.0.1:${ports[2 * n + 1]}`];
      const urls = ["client", "peer"].flatMap((kind) => {
        const url = kind === "client" ? client : peer;
        const advertise = kind === "client" ? "--advertise-client-urls" : "--initial-advertise-peer-urls";
        return [`--listen-${kind}-urls`, url, advertise, url];
      });
      const data = ["--name", `m${n}`, "--data-dir", join(fleet.#folder, `m${n}`), "--initial-cluster", peers];
      fleet.members.push(new EtcdMember(client, [...data, ...urls, "--logger", "zap", "--log-outputs", "/dev/null"]));
    }
    await Promise.all(fleet.members.map((member) => member.start()));
    return fleet;
  }

  async leader(): Promise<Member> {
    for (;;) {
      const isLeading = await Promise.all(this.members.map((member) => member.isLeading()));
      const leader = this.members.find((_, n) => isLeading[n]);
      if (leader) return leader;
    }
  }

  async end(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
    await rm(this.#folder, { recursive: true, force: true });
  }
}

class EtcdMember implements Member {
  readonly #url: string;
  readonly #args: string[];
  #process: ChildProcess | undefined;
  #session: ClientHttp2Session | undefined;

  constructor(url: string, args: string[]) {
    this.#url = url;
    this.#args = args;
  }

  async start(): Promise<void> {
    this.#process = spawn("etcd", this.#args, { stdio: "ignore" });
    while (!(await this.#status())) await new Promise((resolve) => setTimeout(resolve, 50));
  }

  async kill(): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  async put(key: string, value: string): Promise<void> {
    await this.#call("/etcdserverpb.KV/Put", PutRequest.encode({ key: Buffer.from(key), value: Buffer.from(value) }));
  }

  async isLeading(): Promise<boolean> {
    const status = await this.#status();
    return status !== undefined && status.leader !== "0" && status.leader === status.header.member_id;
  }

  async #status(): Promise<{ leader: string; header: { member_id: string } } | undefined> {
    const asked = this.#call("/etcdserverpb.Maintenance/Status", protobuf.Writer.create(), STATUS_DEADLINE_MS);
    const answer = await asked.catch(() => undefined);
    return (
      answer && (StatusResponse.toObject(StatusResponse.decode(answer), { longs: String, defaults: true }) as never)
    );
  }

  #connected(): ClientHttp2Session {
    if (this.#session && !this.#session.closed && !this.#session.destroyed) return this.#session;
    const session = connect(this.#url);
    session.on("error", () => session.destroy());
    this.#session = session;
    return session;
  }

  /** One unary gRPC call: a frame is a zero byte, its length and the message; the status comes in the trailers. */
  #call(path: string, body: protobuf.Writer, deadlineMs = 10_000): Promise<Uint8Array> {
    const message = body.finish();
    const frame = Buffer.alloc(5 + message.length);
    frame.writeUInt32BE(message.length, 1);
    frame.set(message, 5);
    return new Promise((resolve, reject) => {
      const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
      const stream = this.#connected().request(headers);
      const parts: Buffer[] = [];
      let status: string | undefined;
      stream.on("trailers", (trailers) => {
        status = String(trailers["grpc-status"]);
      });
      stream.on("data", (part: Buffer) => parts.push(part));
      stream.on("error", reject);
      stream.on("close", () =>
        status === "0" ? resolve(Buffer.concat(parts).subarray(5)) : reject(new Error(`grpc-status ${status}`)),
      );
      stream.setTimeout(deadlineMs, () => stream.destroy(new Error("no answer in time")));
      stream.end(frame);
    });
  }
}
