import { parse } from "csv-parse/sync";

/** Records of a CSV file with a header (RFC 4180), by the names in it. */
export const csvRecords = (text: string): Record<string, string>[] =>
  parse(text, { columns: true, skip_empty_lines: true });
