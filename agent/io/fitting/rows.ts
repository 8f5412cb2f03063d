import { SkeinError } from "../../../shared/errors.ts";
import { type DatasetRow, readRow } from "../../../shared/fitting/dataset.ts";
import { LIMITS } from "../../../shared/limits.ts";

/** @throws BAD_REQUEST with the line, TOO_LARGE */
export function readRows(text: string): DatasetRow[] {
  const rows: DatasetRow[] = [];
  let number = 0;
  for (const line of text.split("\n")) {
    number++;
    const trimmed = line.trim();
    if (trimmed === "") continue;
    const row = readRow(trimmed, number);
    const wanted = rows[0]?.vector.length ?? row.vector.length;
    if (row.vector.length !== wanted)
      throw new SkeinError("BAD_REQUEST", {
        reason: `line ${number}, vector has ${row.vector.length} numbers, the first row's ${wanted}`,
      });
    if (rows.push(row) > LIMITS.datasetRowsMax)
      throw new SkeinError("TOO_LARGE", { what: "the number of rows", actual: number, limit: LIMITS.datasetRowsMax });
  }
  if (rows.length === 0) throw new SkeinError("BAD_REQUEST", { reason: "the data set has no row" });
  return rows;
}
