import { createHash } from "node:crypto";
import { checkFiles } from "../../agent/io/models/files.ts";
import type { FileToPlace, ModelFolders } from "../../agent/ports/index.ts";
import { SkeinError } from "../../shared/errors.ts";
import { type BlobHash, isBlobHash } from "../../shared/ids.ts";

/**
 * The disk under one pretend agent's models, in memory. It outlives the agent: `open` gives the folders of one life, and
 * `crash` ends that life, after which its calls never return and change nothing.
 */
export class PretendModels {
  capacityBytes: number;
  readonly placed = new Map<BlobHash, Map<string, Uint8Array>>();
  #lives = 0;

  constructor(capacityBytes = Number.POSITIVE_INFINITY) {
    this.capacityBytes = capacityBytes;
  }

  open(): ModelFolders {
    this.#lives += 1;
    const life = this.#lives;
    return new PretendLife(this, () => life === this.#lives);
  }

  crash(): void {
    this.#lives += 1;
  }

  /** Flips a bit of a file, as a worn-out disk does. */
  rot(digest: BlobHash, path: string): void {
    const file = this.placed.get(digest)!.get(path)!;
    this.placed.get(digest)!.set(
      path,
      file.map((byte, at) => (at === file.length >> 1 ? byte ^ 1 : byte)),
    );
  }

  freeBytes(): number {
    const files = [...this.placed.values()].flatMap((folder) => [...folder.values()]);
    return Math.max(0, this.capacityBytes - files.reduce((sum, { length }) => sum + length, 0));
  }
}

class PretendLife implements ModelFolders {
  readonly #disk: PretendModels;
  readonly #isAlive: () => boolean;
  readonly #sound = new Set<BlobHash>();

  constructor(disk: PretendModels, isAlive: () => boolean) {
    this.#disk = disk;
    this.#isAlive = isAlive;
  }

  async place(digest: BlobHash, files: FileToPlace[]): Promise<string> {
    await this.#alive();
    const path = pathOf(digest);
    checkFiles(files);
    const there = this.#disk.placed.get(digest);
    if (there && (this.#sound.has(digest) || isSound(there, files))) {
      this.#sound.add(digest);
      return path;
    }
    this.#disk.placed.delete(digest);
    const wanted = files.reduce((sum, { bytes }) => sum + bytes, 0);
    const freeBytes = this.#disk.freeBytes();
    if (wanted > freeBytes) throw new SkeinError("DISK_FULL", { path: "pretend models", freeBytes });
    const folder = new Map<string, Uint8Array>();
    for (const file of files) folder.set(file.path, await this.#read(file));
    await this.#alive();
    this.#disk.placed.set(digest, folder);
    this.#sound.add(digest);
    return path;
  }

  async folderOf(digest: BlobHash): Promise<string | undefined> {
    await this.#alive();
    const path = pathOf(digest);
    return this.#disk.placed.has(digest) ? path : undefined;
  }

  async remove(digest: BlobHash): Promise<void> {
    await this.#alive();
    pathOf(digest);
    this.#sound.delete(digest);
    this.#disk.placed.delete(digest);
  }

  async list(): Promise<BlobHash[]> {
    await this.#alive();
    return [...this.#disk.placed.keys()].sort();
  }

  async #read({ sha256, bytes, read }: FileToPlace): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of read()) chunks.push(new Uint8Array(chunk));
    await this.#alive();
    const whole = new Uint8Array(Buffer.concat(chunks));
    if (whole.length !== bytes || hashOf(whole) !== sha256)
      throw new SkeinError("BLOB_HASH_MISMATCH", { expected: sha256, actual: hashOf(whole) });
    return whole;
  }

  /** A dead agent's calls never return. */
  #alive(): Promise<void> {
    return this.#isAlive() ? Promise.resolve() : new Promise(() => {});
  }
}

function pathOf(digest: BlobHash): string {
  if (!isBlobHash(digest)) throw new SkeinError("BAD_REQUEST", { reason: "a model's digest is a SHA-256" });
  return `pretend/models/${digest}`;
}

const isSound = (folder: ReadonlyMap<string, Uint8Array>, files: readonly FileToPlace[]): boolean =>
  folder.size === files.length &&
  files.every(({ path, sha256 }) => folder.has(path) && hashOf(folder.get(path)!) === sha256);

const hashOf = (bytes: Uint8Array): BlobHash => createHash("sha256").update(bytes).digest("hex") as BlobHash;
