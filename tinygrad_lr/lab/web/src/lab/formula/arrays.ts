// Numbers and matrices in float64, with NumPy's broadcasting: what the formulas' lines are evaluated on.

export interface Matrix {
  rows: number;
  columns: number;
  data: Float64Array; // row after row
}

export type Quantity = number | Matrix;

export function matrix(rows: number, columns: number, data: ArrayLike<number>): Matrix {
  return { rows, columns, data: Float64Array.from(data) };
}

function sides(value: Quantity): [number, number] {
  return typeof value === "number" ? [1, 1] : [value.rows, value.columns];
}

/** The number at a place of a quantity that is spread over rows and columns. */
function at(value: Quantity, row: number, column: number): number {
  if (typeof value === "number") return value;
  return value.data[(value.rows > 1 ? row : 0) * value.columns + (value.columns > 1 ? column : 0)]!;
}

function common(lengths: number[]): number {
  const most = Math.max(...lengths);
  if (lengths.some((each) => each !== 1 && each !== most)) throw new Error(`lengths ${lengths.join(", ")} do not fit`);
  return most;
}

/** A function of numbers, for each element. */
export function elementwise(compute: (...given: number[]) => number): (...given: Quantity[]) => Quantity {
  return (...given) => {
    if (given.every((each) => typeof each === "number")) return compute(...(given as number[]));
    const rows = common(given.map((each) => sides(each)[0]));
    const columns = common(given.map((each) => sides(each)[1]));
    const data = new Float64Array(rows * columns);
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) data[i * columns + j] = compute(...given.map((each) => at(each, i, j)));
    }
    return { rows, columns, data };
  };
}

function elements(x: Quantity): ArrayLike<number> {
  return typeof x === "number" ? [x] : x.data;
}

function sum(values: ArrayLike<number>): number {
  let found = 0;
  for (let i = 0; i < values.length; i++) found += values[i]!;
  return found;
}

const mean = (values: ArrayLike<number>) => sum(values) / values.length;
const largest = (values: ArrayLike<number>) => Math.max(...Array.from(values));
const squared = elementwise((x) => x * x);

/** A function of every row, or of every column. */
function along(axis: "row" | "column", compute: (values: number[]) => number): (x: Quantity) => Quantity {
  return (x) => {
    const [rows, columns] = sides(x);
    const row = (i: number) => Array.from({ length: columns }, (_, j) => at(x, i, j));
    const column = (j: number) => Array.from({ length: rows }, (_, i) => at(x, i, j));
    if (axis === "row")
      return matrix(
        rows,
        1,
        Array.from({ length: rows }, (_, i) => compute(row(i))),
      );
    return matrix(
      1,
      columns,
      Array.from({ length: columns }, (_, j) => compute(column(j))),
    );
  };
}

function product(x: Quantity, y: Quantity): Matrix {
  const [[rows, inner], [, columns]] = [sides(x), sides(y)];
  if (sides(y)[0] !== inner) throw new Error("these matrices have no product");
  const data = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      data[i * columns + j] = sum(Array.from({ length: inner }, (_, k) => at(x, i, k) * at(y, k, j)));
    }
  }
  return { rows, columns, data };
}

function transposed(x: Quantity): Matrix {
  const [rows, columns] = sides(x);
  return matrix(
    columns,
    rows,
    Array.from({ length: rows * columns }, (_, n) => at(x, n % rows, Math.floor(n / rows))),
  );
}

function remainder(x: number, y: number): number {
  const rest = x % y;
  return rest !== 0 && rest < 0 !== y < 0 ? rest + y : rest;
}

/** Those that know nothing of arrays but their elements. */
const OF_ELEMENTS = {
  sqrt: elementwise((x) => Math.sqrt(x)),
  cbrt: elementwise((x) => Math.cbrt(x)),
  cos: elementwise((x) => Math.cos(x)),
  exp: elementwise((x) => Math.exp(x)),
  log: elementwise((x) => Math.log(x)),
  tanh: elementwise((x) => Math.tanh(x)),
  floor: elementwise((x) => Math.floor(x)),
  ceil: elementwise((x) => Math.ceil(x)),
  mod: elementwise(remainder),
  abs: elementwise((x) => Math.abs(x)),
  sign: elementwise((x) => Math.sign(x)),
  min: elementwise((x, y) => Math.min(x, y)),
  max: elementwise((x, y) => Math.max(x, y)),
};

/** Those that see a whole array. */
const OF_ARRAYS: Record<string, (...given: Quantity[]) => Quantity> = {
  norm: (x) => Math.sqrt(sum(elements(squared(x!)))),
  total: (x) => sum(elements(x!)),
  mean: (x) => mean(elements(x!)),
  rms: (x) => Math.sqrt(mean(elements(squared(x!)))),
  size: (x) => elements(x!).length,
  rows: (x) => sides(x!)[0],
  columns: (x) => sides(x!)[1],
  rowmean: (x) => along("row", mean)(x!),
  colmean: (x) => along("column", mean)(x!),
  rowsum: (x) => along("row", sum)(x!),
  colsum: (x) => along("column", sum)(x!),
  rowmax: (x) => along("row", largest)(x!),
  colmax: (x) => along("column", largest)(x!),
  rownorm: (x) => OF_ELEMENTS.sqrt(along("row", sum)(squared(x!))),
  matmul: (x, y) => product(x!, y!),
  transpose: (x) => transposed(x!),
};

/** The functions of the language, but for those of SOAP: those of no optimizer of the page. */
export const FUNCTIONS: Record<string, (...given: Quantity[]) => Quantity> = { ...OF_ELEMENTS, ...OF_ARRAYS };

/** Whether a function sees a whole array, so that one element of it says nothing. */
export function seesAll(name: string): boolean {
  return Object.hasOwn(OF_ARRAYS, name);
}
