// Lines as MathML Core, which browsers draw by themselves: the same text as verify/language/mathml.py writes. And with
// numbers in the place of names, which Python does not write.
import type { Line, Node } from "./notation.ts";

const GREEK: Record<string, string> = {
  alpha: "α",
  beta: "β",
  delta: "δ",
  gamma: "γ",
  kappa: "κ",
  lambda: "λ",
  mu: "μ",
  nu: "ν",
  phi: "φ",
  pi: "π",
  psi: "ψ",
  rho: "ρ",
  tau: "τ",
  theta: "θ",
  eta: "η",
  Delta: "Δ",
  lr: "η",
  eps: "ε",
};
const SUBSCRIPTS: Record<string, string> = { inf: "∞", minus: "−", plus: "+" };
const ENDS: Record<string, [string, string]> = {
  "": ["(", ")"], // the elements of an array
  abs: ["|", "|"],
  norm: ["‖", "‖"],
  floor: ["⌊", "⌋"],
  ceil: ["⌈", "⌉"],
};
const SIGNS: Record<string, string> = { "-": "−", ">=": "≥", "<=": "≤", "<-": "←", "<": "&lt;", ">": "&gt;" };
const BESIDE = "\u2062"; // the invisible product
const BETWEEN = "⋅"; // the product of numbers

/** A name in MathML: an element whose attribute data-name has the name. */
export function symbolAsMathml(name: string): string {
  return drawn(name).replace(">", ` data-name="${name}">`);
}

function drawn(name: string): string {
  if (name.endsWith("^")) return `<mover>${drawn(name.slice(0, -1))}<mo>^</mo></mover>`;
  const place = name.indexOf("_");
  let [letter, subscript] = place < 0 ? [name, ""] : [name.slice(0, place), name.slice(place + 1)];
  const match = /^([A-Za-z]+)(\d+)$/.exec(letter);
  if (match) [letter, subscript] = [match[1]!, match[2]!];
  const written = `<mi>${GREEK[letter] ?? letter}</mi>`;
  if (!subscript) return written;
  const kind = /^\d+$/.test(subscript) ? "mn" : "mi";
  return `<msub>${written}<${kind}>${SUBSCRIPTS[subscript] ?? subscript}</${kind}></msub>`;
}

function row(...parts: string[]): string {
  return parts.length === 1 ? parts[0]! : `<mrow>${parts.join("")}</mrow>`;
}

function sign(text: string): string {
  return `<mo>${SIGNS[text] ?? text}</mo>`;
}

/** Without the parentheses around it, where MathML shows by other means what belongs together. */
function bare(node: Node): Node {
  return node[0] === "group" ? node[1] : node;
}

/** An expression in MathML; `times` stands between factors. */
export function mathml(node: Node, times = BESIDE): string {
  const of = (each: Node) => mathml(each, times);
  switch (node[0]) {
    case "number":
      return `<mn>${node[1]}</mn>`;
    case "name":
      return symbolAsMathml(node[1]);
    case "call":
      return call(node[1], node[2], of);
    case "if": {
      const [, chosen, [comparison, left, right], otherwise] = node;
      const holds = row(of(left), sign(comparison), of(right));
      const cells = (value: string, where: string) => `<mtr><mtd>${value}</mtd><mtd>${where}</mtd></mtr>`;
      const rows = cells(of(chosen), holds) + cells(of(otherwise), "<mtext>else</mtext>");
      return row(sign("{"), `<mtable>${rows}</mtable>`);
    }
    case "group":
      return node[1][0] === "if" ? of(node[1]) : row(sign("("), of(node[1]), sign(")"));
    case "negative":
      return row(sign("-"), of(node[1]));
    case "/":
      return `<mfrac>${of(bare(node[1]))}${of(bare(node[2]))}</mfrac>`;
    case "^":
      return `<msup>${of(node[1])}${of(bare(node[2]))}</msup>`;
    default:
      return row(of(node[1]), node[0] === "*" ? `<mo>${times}</mo>` : sign(node[0]), of(node[2]));
  }
}

function call(name: string, given: Node[], of: (node: Node) => string): string {
  const first = of(bare(given[0]!));
  if (name === "sqrt") return `<msqrt>${first}</msqrt>`;
  if (name === "cbrt") return `<mroot>${first}<mn>3</mn></mroot>`;
  const inside = given.map(of).join(sign(","));
  const ends = ENDS[name];
  if (ends) return row(sign(ends[0]), inside, sign(ends[1]));
  const [only] = given;
  if (given.length === 1 && only![0] === "call" && only![1] === "") return row(`<mi>${name}</mi>`, inside);
  return row(`<mi>${name}</mi>`, sign("("), inside, sign(")"));
}

/** A line in MathML: an element `math`. */
export function lineAsMathml({ name, arrow, expression }: Line): string {
  return `<math>${row(symbolAsMathml(name), sign(arrow), mathml(expression))}</math>`;
}

/** An expression of numbers, and its value: an element `math`. */
export function numbersAsMathml(expression: Node, value: Node): string {
  return `<math>${row(sign("="), mathml(expression, BETWEEN), sign("="), mathml(bare(value), BETWEEN))}</math>`;
}
