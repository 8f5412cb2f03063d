import type { FleetNews } from "../peer-requests.ts";
import { checkCount, checkNodeId, type Fields } from "./codec.ts";
import { checkConf } from "./raft.ts";
import { checkRoster, rosterFields } from "./roster.ts";

export const fleetNewsFields = (news: FleetNews): object => ({ ...news, roster: rosterFields(news.roster) });

export function checkFleetNews(f: Fields): FleetNews {
  return {
    term: checkCount(f.term, "term"),
    ...(f.leader ? { leader: checkNodeId(f.leader, "leader") } : {}),
    appliedIndex: checkCount(f.appliedIndex, "appliedIndex"),
    roster: checkRoster(f.roster),
    conf: checkConf((f.conf ?? {}) as Fields),
  };
}
