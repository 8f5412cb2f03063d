import type { Findings } from "./findings.ts";
import { plainLine, type Root } from "./root.ts";
import { filesIn } from "./sensor.ts";

/** Bridges, tunnels and the cards of containers have no device behind them. */
const cardsOf = (root: Root): string[] =>
  filesIn(root, "/sys/class/net", /./).filter((card) => root.names(`${card}/device`).length > 0);

/** Each card: whether a cable or a WLAN is there, and how fast the link says it is. */
export function noteNetworkCards(findings: Findings, root: Root): void {
  const cards = cardsOf(root);
  for (const card of cards) {
    const name = card.split("/").at(-1)!;
    const state = plainLine(root.text(`${card}/operstate`)) ?? "unknown";
    // Without a link the kernel answers -1, or refuses to answer.
    const mbits = root.number(`${card}/speed`);
    const speed = mbits !== undefined && mbits > 0 ? `${mbits} Mbit/s` : undefined;
    const isWireless = root.names(`${card}/wireless`).length > 0;
    const words = [state, isWireless ? "wireless" : undefined, speed].filter(Boolean).join(", ");
    findings.note(`network.${name}`, words, `${card}/operstate, speed`);
  }
  if (cards.length === 0) findings.missed("network", ["/sys/class/net/*/device"]);
}
