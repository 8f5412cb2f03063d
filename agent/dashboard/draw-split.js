/** Shows why a job was split as it was: who got what and what that takes, the ways that were compared, the answer in words. */
import { keep, make, setText, setWidth } from "./make.js";

/** What a node's time goes into, in the order in which it passes; computing and carrying overlap, so the longer one is drawn. */
const PARTS = [
  ["queue", "what waits there", ({ queueSeconds }) => queueSeconds],
  ["hand", "handing over", ({ handOverSeconds }) => handOverSeconds],
  ["carry", "inputs on their way", (f) => Math.max(0, f.transferSeconds - f.computeSeconds)],
  ["compute", "computing", ({ computeSeconds }) => computeSeconds],
];

export function makeSplit() {
  const legend = make(
    "p",
    "legend soft",
    PARTS.map(([name, label]) => make("span", "", [make("i", name), label])),
  );
  const parts = [make("ul", "answers"), make("ul", "split"), legend, make("ul", "ways")];
  return make("details", "plan", [make("summary"), make("div", "", parts)]);
}

/** `coloured` gives an element its node's colour. */
export function fillSplit(element, explanation, coloured) {
  element.hidden = explanation === undefined;
  if (!explanation) return;
  const { says, nodes, ways, bound, predictionErrors = [] } = explanation;
  const at = (selector) => element.querySelector(selector);
  setText(at("summary"), says[0]);
  const answers = [...says.slice(1), ...(bound ? [bound.says] : [])];
  keep(at(".answers"), answers, (text) => make("li", "", text));
  const latest = Math.max(...nodes.map(({ isUsed, figures }) => (isUsed ? figures.endSeconds : 0)), 0);
  const keys = nodes.map(({ nodeId }) => nodeId);
  const rows = keep(at(".split"), keys, (nodeId) => makeRow(nodeId, coloured));
  for (const [i, node] of nodes.entries()) {
    const error = predictionErrors.find(({ nodeId }) => nodeId === node.nodeId);
    fillRow(rows[i], node, latest, error);
  }
  at(".legend").hidden = latest === 0;
  const slowest = Math.max(...ways.map(({ seconds }) => seconds), 0);
  const wayRows = keep(
    at(".ways"),
    ways.map(({ way }) => way),
    () => make("li", "", [make("span", "track", make("span", "level")), make("span")]),
  );
  for (const [i, { isChosen, seconds, says: text }] of ways.entries()) {
    wayRows[i].classList.toggle("chosen", isChosen);
    setWidth(wayRows[i].querySelector(".level"), slowest > 0 ? seconds / slowest : 0);
    setText(wayRows[i].lastElementChild, text);
  }
}

function makeRow(nodeId, coloured) {
  const bar = make(
    "span",
    "track",
    PARTS.map(([name]) => make("span", name)),
  );
  const head = [coloured(make("span", "swatch"), nodeId), make("span", "name"), make("b"), bar, make("span", "end")];
  return coloured(make("li", "", [...head, make("p", "soft")]), nodeId);
}

function fillRow(row, { name, isUsed, because, figures }, latest, error) {
  const at = (selector) => row.querySelector(selector);
  row.classList.toggle("unused", !isUsed);
  setText(at(".name"), name);
  setText(at("b"), String(figures.items ?? ""));
  setText(at(".end"), isUsed ? `${figures.endSeconds.toFixed(1)} s` : "");
  for (const [part, label, secondsOf] of PARTS) {
    const seconds = isUsed && latest > 0 ? secondsOf(figures) : 0;
    setWidth(at(`.track .${part}`), latest > 0 ? seconds / latest : 0);
    at(`.track .${part}`).title = `${label}: ${seconds.toFixed(2)} s`;
  }
  const off = error ? `; foretold to within ${(100 * error.median).toFixed(0)} % by now` : "";
  setText(at("p"), because + off);
}
