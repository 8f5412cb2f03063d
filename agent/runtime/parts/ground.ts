import { Ledger } from "../../core/ledger/index.ts";
import { Events } from "../events.ts";
import { LedgerNews } from "../ledger-news.ts";
import { WatchedEngine } from "../models/watched-engine.ts";
import { Peers } from "../peers.ts";
import { SpareBlobs } from "../spare-blobs.ts";
import type { Surroundings } from "../surroundings.ts";

/** What every other part stands on. */
export interface Ground {
  /** With the blobs and the engine of this agent in place of the bare ones. */
  world: Surroundings;
  spare: SpareBlobs;
  engine: WatchedEngine;
  events: Events;
  news: LedgerNews;
  peers: Peers;
  ledger: Ledger;
}

export function ground(surroundings: Surroundings): Ground {
  const { clock, telemetry, network } = surroundings;
  const spare = new SpareBlobs(surroundings.blobs, clock);
  const engine = new WatchedEngine(surroundings.engine, clock);
  const events = new Events(clock, telemetry);
  return {
    world: { ...surroundings, blobs: spare, engine },
    spare,
    engine,
    events,
    news: new LedgerNews(events),
    peers: new Peers(network),
    ledger: new Ledger(),
  };
}
