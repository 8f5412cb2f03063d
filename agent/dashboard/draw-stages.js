/** Shows how far each part of a job is that was cut: what one box runs in one go is a line, coloured by who made it. */
import { keep, make, setText, setWidth } from "./make.js";

/** `coloured` gives an element the colour of the node of that name. */
export function fillStages(list, stages = [], coloured) {
  list.hidden = stages.length === 0;
  const lines = keep(
    list,
    stages.map(({ segment }) => segment),
    makeStage,
  );
  for (const [i, stage] of stages.entries()) fillStage(lines[i], stage, coloured);
}

const makeStage = () =>
  make("li", "", [make("span", "name"), make("span", "track"), make("b"), make("span", "soft again")]);

function fillStage(line, { segment, stages, tasks, recorded, failed, runsAgain, nodes }, coloured) {
  const [name, track, count, more] = line.children;
  setText(name, stages.join(", ") || segment);
  const makers = Object.keys(nodes);
  const parts = keep(track, makers, (maker) => coloured(make("span"), maker));
  for (const [i, maker] of makers.entries()) {
    setWidth(parts[i], nodes[maker] / tasks);
    parts[i].title = `${maker}: ${nodes[maker]}`;
  }
  // How many a list has is not known before it is made.
  setText(count, tasks === 0 ? "-" : `${recorded} / ${tasks}`);
  const told = [...(failed > 0 ? [`${failed} failed`] : []), ...(runsAgain > 0 ? [`${runsAgain} made again`] : [])];
  setText(more, told.join(", "));
}
