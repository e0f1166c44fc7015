// What Python writes into the page beside the code: the table's rows, and the draws that move starts.
import type { Point } from "./engine";
import type { Language } from "./text";

export interface TableData {
  name: string;
  python: string; // the call that gives the same rows in Python
  features: [string, string];
  target: string;
  columns: [number[], number[], number[]]; // both features and the target, standardised
  of: number; // how many rows have all three; `columns` may have fewer
}

export interface PageData {
  language: Language; // in which it opens
  version: string;
  table: TableData;
  seeds: number; // of batches there are the seeds 0 to seeds - 1
  moves: Point[]; // by how much seed 0, 1, ... moves the start
}
