import { SkeinError } from "../../shared/errors.ts";
import { type Setting, settingFault, settingOf, settingsOf } from "../../shared/settings.ts";
import type { Ledger } from "../core/ledger/index.ts";
import type { Proposer } from "./proposer.ts";
import type { Reader } from "./reader.ts";

/** The fleet's settings as a register that every node reads and writes alike: linearizable, both of them. */
export class Settings {
  readonly #ledger: Ledger;
  readonly #proposer: Proposer;
  readonly #reader: Reader;

  constructor(ledger: Ledger, proposer: Proposer, reader: Reader) {
    this.#ledger = ledger;
    this.#proposer = proposer;
    this.#reader = reader;
  }

  async all(): Promise<Setting[]> {
    await this.#reader.barrier();
    return settingsOf(this.#ledger.settings);
  }

  async get(name: string): Promise<Setting> {
    await this.#reader.barrier();
    return settingOf(this.#ledger.settings, name);
  }

  async set(name: string, value: string): Promise<Setting> {
    const reason = settingFault(name, value);
    if (reason) throw new SkeinError("BAD_REQUEST", { reason });
    await this.#proposer.propose({ kind: "settingChanged", name, value });
    return { name, value };
  }
}
