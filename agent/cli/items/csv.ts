/** Items from comma-separated values, as RFC 4180 has them: a header, then a record an item, which may span lines. */
import { CsvError, type Info, parse } from "csv-parse/sync";
import type { GivenItem, InputFaults, PipelineInput } from "./given.ts";
import { namingField } from "./given.ts";

interface Row {
  record: string[];
  info: Info;
}

export function itemsOfCsv(
  file: string,
  text: string,
  inputs: readonly PipelineInput[],
  faults: InputFaults,
): GivenItem[] {
  const rows = rowsOf(file, text, faults);
  if (!rows) return [];
  const [head, ...body] = rows;
  if (!head || body.length === 0) {
    faults.add(file, head ? "has no rows below its header" : "is empty; the first line must name the columns");
    return [];
  }
  const columns = head.record.map((name) => name.trim());
  const taken = columnsTaken(`${file}, line 1`, columns, inputs, faults);
  if (!taken) return [];
  const naming = columns.indexOf(namingField(columns, inputs) ?? "");
  return body.flatMap(({ record, info }): GivenItem[] => {
    const place = `${file}, line ${lineOf(record, info)}`;
    if (record.length !== columns.length) {
      faults.add(
        place,
        `has ${record.length} fields and the header has ${columns.length}; is a quote or comma missing?`,
      );
      return [];
    }
    const fields = new Map([...taken].map(([input, column]) => [input, { cell: record[column]! }]));
    const name = naming < 0 ? undefined : record[naming]!.trim();
    return [{ place, fields, ...(name && { name }) }];
  });
}

function rowsOf(file: string, text: string, faults: InputFaults): Row[] | undefined {
  try {
    // Differing lengths are faults of ours, so that all of them are told and not the first.
    const options = { info: true as const, bom: true, skip_empty_lines: true, relax_column_count: true };
    return parse(text, options) as unknown as Row[];
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = typeof error.lines === "number" ? `, line ${error.lines}` : "";
    faults.add(`${file}${line}`, `is no CSV: ${error.message}`);
    return undefined;
  }
}

/** `info.lines` counts to where the record ends. */
const lineOf = (record: readonly string[], { lines }: Info): number =>
  lines - record.reduce((sum, field) => sum + (field.match(/\r\n|\n|\r/g)?.length ?? 0), 0);

/** By input: the place of its column. One input may be in the only column there is, whatever that is called. */
function columnsTaken(
  place: string,
  columns: readonly string[],
  inputs: readonly PipelineInput[],
  faults: InputFaults,
): ReadonlyMap<string, number> | undefined {
  const [only] = columns;
  if (columns.length === 1 && /[;\t]/.test(only!)) {
    faults.add(place, "separates its fields by something else than commas; save it with commas");
    return undefined;
  }
  const double = columns.find((column, i) => columns.indexOf(column) !== i);
  if (double !== undefined) faults.add(place, `has two columns ${JSON.stringify(double)}`);
  const naming = namingField(columns, inputs);
  const free = columns.filter((column) => column !== naming);
  const isTheOnly = inputs.length === 1 && free.length === 1;
  const taken = new Map<string, number>();
  for (const { name } of inputs) {
    const column = columns.includes(name) ? name : isTheOnly ? free[0]! : undefined;
    if (column !== undefined) taken.set(name, columns.indexOf(column));
    else faults.add(place, `has no column ${name}, which the pipeline takes; it has ${columns.join(", ")}`);
  }
  return taken.size === inputs.length && double === undefined ? taken : undefined;
}
