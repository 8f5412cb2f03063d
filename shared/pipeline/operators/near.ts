import type { OperatorSpec, ParameterSpec } from "../operators.ts";

const dimensions: ParameterSpec = { type: "integer", says: "numbers in one row", min: 1, max: 8_192 };
const rowsMax = 2 ** 24;
const FILES = {
  matrix: { says: "rows of 32-bit floats, little-endian, nothing between them" },
  ids: { says: "an id for each row: one a line, or a JSON list of texts" },
};

export const NEAR: OperatorSpec[] = [
  {
    name: "near/neighbours@1",
    says: "The rows of a matrix that are most like a vector. A part of the rows can be asked of one box, the rest of others.",
    inputs: {
      vector: { type: "FP32", says: "as many elements as a row has, in any shape" },
      rows: { type: "json", optional: true, says: "[from, to]: only these, `to` not among them" },
      exclude: { type: "json", optional: true, says: "a list of ids that are left out" },
    },
    outputs: {
      ranked: { type: "json", says: '[{"id", "score"}], best first; of equal ones the earlier row' },
      ids: { type: "json", says: "their ids" },
    },
    parameters: {
      dimensions,
      k: { type: "integer", says: "how many", min: 1, max: 10_000, default: 10 },
      by: { type: "text", says: "what their likeness is", oneOf: ["cosine", "dot"], default: "cosine" },
      from: { type: "integer", says: "first row", min: 0, max: rowsMax, default: 0 },
      to: { type: "integer", says: "row behind the last; 0: all", min: 0, max: rowsMax, default: 0 },
    },
    files: FILES,
  },
  {
    name: "near/rows@1",
    says: "The rows of a matrix that have these ids.",
    inputs: { ids: { type: "json", says: "a list of texts, or of numbers" } },
    outputs: {
      rows: { type: "FP32[-1,-1]", says: "of those that are known, in their order" },
      indexes: { type: "INT64[1,-1]", says: "which rows these are, from 0" },
      known: { type: "number", says: "how many" },
    },
    parameters: {
      dimensions,
      max: { type: "integer", says: "ids at most; the first ones", min: 1, max: 100_000, default: 1_000 },
    },
    files: FILES,
    giving: ({ dimensions: columns }) => ({
      rows: `FP32[-1,${columns ?? -1}]`,
      indexes: "INT64[1,-1]",
      known: "number",
    }),
  },
  {
    name: "near/merge-ranks@1",
    says: "One ranking from several.",
    inputs: {
      ranks: { type: "list<json>", says: 'each [{"id", "score"}]' },
      exclude: { type: "json", optional: true, says: "a list of ids that are left out" },
    },
    outputs: {
      ranked: { type: "json", says: '[{"id", "score"}], best first; of equal ones the smaller id' },
      ids: { type: "json", says: "their ids" },
    },
    parameters: {
      k: { type: "integer", says: "how many", min: 1, max: 10_000, default: 10 },
      same: {
        type: "text",
        says: "what counts of an id that several name",
        oneOf: ["highest", "sum"],
        default: "highest",
      },
    },
  },
];
