// The language of the formulas' lines, read as verify/language/notation.py reads it: the same trees, node for node.
//
//     m <- beta1 m + (1 - beta1) g     a value that is kept from step to step
//     m^ = m / (1 - beta1^t)           a value of this step
//
// A test holds the trees of every line of every formula to Python's. Next: arrays.ts, evaluate.ts, mathml.ts.
import { FUNCTIONS } from "./arrays.ts";

export type Comparison = "<" | ">" | "<=" | ">=";
export type Operator = "+" | "-" | "*" | "/" | "^";
export type Node =
  | ["number", string]
  | ["name", string]
  | ["call", string, Node[]]
  | ["if", Node, [Comparison, Node, Node], Node]
  | ["group", Node]
  | ["negative", Node]
  | [Operator, Node, Node];

/** An assignment: the name, whether it is kept ("<-") or of this step ("="), and the expression. */
export interface Line {
  name: string;
  arrow: string;
  expression: Node;
}

const TOKEN = /\s*(?:(\d+\.?\d*(?:e[-+]?\d+)?)|([A-Za-z][A-Za-z0-9_]*(?:\^(?=[\s),]|$))?)|(<=|>=|[-+/^(),<>]))/y;
const KEYWORDS = new Set(["if", "else"]);
const COMPARISONS = new Set(["<", ">", "<=", ">="]);

const kept = new Map<string, Line>();

/** Read a line. Throws an Error where it is not in this language, or calls a function that is not known here. */
export function parse(text: string): Line {
  let line = kept.get(text);
  if (!line) kept.set(text, (line = read(text)));
  return line;
}

function read(text: string): Line {
  const sign = text.includes(" <- ") ? " <- " : " = ";
  const place = text.indexOf(sign);
  if (place < 0) throw new Error(`expected 'name <- expression' or 'name = expression', got '${text}'`);
  const reader = new Reader(text.slice(place + sign.length));
  const expression = reader.choice();
  if (reader.token) throw new Error(`unexpected '${reader.token}' in '${text}'`);
  return { name: text.slice(0, place), arrow: sign.trim(), expression };
}

/** A recursive-descent parser, one method for each level of binding. */
class Reader {
  text: string;
  position = 0;
  token = "";
  kind: "number" | "name" | "sign" | "" = "";

  constructor(text: string) {
    this.text = text;
    this.advance();
  }

  /** The present token, moving on to the next. */
  advance(): string {
    const past = this.token;
    TOKEN.lastIndex = this.position;
    const match = TOKEN.exec(this.text);
    if (!match) {
      const rest = this.text.slice(this.position);
      if (rest.trim()) throw new Error(`cannot read '${rest}' in '${this.text}'`);
      this.token = this.kind = "";
      return past;
    }
    this.position = TOKEN.lastIndex;
    const [, number, name, signs] = match;
    this.kind = number !== undefined ? "number" : name !== undefined ? "name" : "sign";
    this.token = number ?? name ?? signs!;
    return past;
  }

  expect(token: string): void {
    if (this.token !== token) throw new Error(`expected '${token}', got '${this.token}' in '${this.text}'`);
    this.advance();
  }

  choice(): Node {
    const found = this.sum();
    if (this.token !== "if") return found;
    this.advance();
    const left = this.sum();
    if (!COMPARISONS.has(this.token)) throw new Error(`expected a comparison, got '${this.token}' in '${this.text}'`);
    const comparison = this.advance() as Comparison;
    const right = this.sum();
    this.expect("else");
    return ["if", found, [comparison, left, right], this.choice()];
  }

  sum(): Node {
    const isNegative = this.token === "-" && Boolean(this.advance());
    let found = this.product();
    if (isNegative) found = ["negative", found];
    while (this.token === "+" || this.token === "-") found = [this.advance() as Operator, found, this.product()];
    return found;
  }

  product(): Node {
    let found = this.power();
    while (this.token === "/" || this.token === "(" || this.startsFactor()) {
      const operation: Operator = this.token === "/" ? "/" : "*";
      if (operation === "/") this.advance();
      found = [operation, found, this.power()];
    }
    return found;
  }

  startsFactor(): boolean {
    return (this.kind === "number" || this.kind === "name") && !KEYWORDS.has(this.token);
  }

  power(): Node {
    const base = this.atom();
    if (this.token !== "^") return base;
    this.advance();
    return ["^", base, this.atom()];
  }

  atom(): Node {
    const [kind, isCall] = [this.kind, this.text[this.position] === "("];
    const token = this.advance();
    if (kind === "number") return ["number", token];
    if (kind === "name" && isCall) return this.call(token);
    if (kind === "name") return ["name", token];
    if (token !== "(") throw new Error(`expected a number, a name or '(', got '${token}' in '${this.text}'`);
    const inside = this.choice();
    this.expect(")");
    return ["group", inside];
  }

  call(name: string): Node {
    if (!Object.hasOwn(FUNCTIONS, name)) throw new Error(`there is no function ${name} here, in '${this.text}'`);
    this.advance();
    const given = [this.choice()];
    while (this.token === ",") {
      this.advance();
      given.push(this.choice());
    }
    this.expect(")");
    return ["call", name, given];
  }
}

/** The nodes directly below a node. */
export function partsOf(node: Node): Node[] {
  switch (node[0]) {
    case "number":
    case "name":
      return [];
    case "call":
      return node[2];
    case "if":
      return [node[1], node[2][1], node[2][2], node[3]];
    case "group":
    case "negative":
      return [node[1]];
    default:
      return [node[1], node[2]];
  }
}

/** The same node with other nodes below it. */
export function withParts(node: Node, parts: Node[]): Node {
  switch (node[0]) {
    case "number":
    case "name":
      return node;
    case "call":
      return ["call", node[1], parts];
    case "if":
      return ["if", parts[0]!, [node[2][0], parts[1]!, parts[2]!], parts[3]!];
    case "group":
    case "negative":
      return [node[0], parts[0]!];
    default:
      return [node[0], parts[0]!, parts[1]!];
  }
}

/** The names in an expression, in order, each once. */
export function namesIn(node: Node): string[] {
  return node[0] === "name" ? [node[1]] : [...new Set(partsOf(node).flatMap(namesIn))];
}
