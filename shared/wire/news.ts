import type { FleetNews } from "../peer-requests.ts";
import { checkCount, checkNodeId, type Fields } from "./codec.ts";
import { checkConf } from "./raft.ts";
import { checkRoster, rosterFields } from "./roster.ts";

export const fleetNewsFields = (news: FleetNews): object => ({ ...news, roster: rosterFields(news.roster ?? []) });

/** No roster is empty: whoever tells of one is on it. */
export function checkFleetNews(f: Fields): FleetNews {
  const roster = checkRoster(f.roster);
  return {
    term: checkCount(f.term, "term"),
    ...(f.leader ? { leader: checkNodeId(f.leader, "leader") } : {}),
    appliedIndex: checkCount(f.appliedIndex, "appliedIndex"),
    rosterIndex: checkCount(f.rosterIndex, "rosterIndex"),
    ...(roster.length > 0 ? { roster } : {}),
    conf: checkConf((f.conf ?? {}) as Fields),
  };
}
