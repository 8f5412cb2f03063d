import { stat } from "node:fs/promises";
import { SkeinError } from "../../../shared/errors.ts";
import type { Fitting } from "../../ports/index.ts";
import { Datasets } from "./datasets.ts";
import { Trainer } from "./trainer.ts";

/** @param folder where data sets lie; made if it is not there */
export async function openFitting(folder: string): Promise<Fitting> {
  const trainer = new Trainer();
  const datasets = await Datasets.open(folder, trainer);
  return {
    put: (name, chunks) => datasets.put(name, chunks),
    list: () => datasets.list(),
    remove: (name) => datasets.remove(name),
    close: () => trainer.close(),
    async round(request) {
      const { dataset } = request;
      if (!(await datasets.names()).includes(dataset)) throw new SkeinError("DATASET_UNKNOWN", { dataset });
      const path = datasets.pathOf(dataset);
      return trainer.round(path, (await stat(path)).mtimeMs, request);
    },
  };
}
