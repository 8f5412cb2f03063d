/** One of the systems that are measured side by side: three members, each of which takes writes. */
export interface Contender {
  readonly name: string;
  readonly members: readonly Member[];
  /** Waits until one leads. */
  leader(): Promise<Member>;
  end(): Promise<void>;
}

export interface Member {
  /** Resolves when the write is agreed on and durable. Rejects when that is not known. */
  put(key: string, value: string): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Resolves when it answers. */
  start(): Promise<void>;
}
