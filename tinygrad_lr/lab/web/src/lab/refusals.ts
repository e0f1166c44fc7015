// Python's refusals in another language. The texts whose keys begin with "refused_" are Python's sentences in English, with
// {names} where values stand; the other language has the same names.
import { filled } from "../common/page.ts";

/** What is made of a schedule, by the names of its methods. */
export type Method = "repeat" | "shift" | "times" | "clip";

/** Why there is no schedule: Python's message, and where it arose. */
export interface Misfit {
  phase: { number: number; name: string } | null; // null: in all phases together
  method: Method | null; // null: in a phase itself, or where phases meet
  message: string;
}

const KEYS = "refused_";
const WORDS = /[a-z] [a-z]/; // what no value has

/** A refusal in another language; null where none of the sentences is it. */
export function inWords(message: string, english: Record<string, string>, other: Record<string, string>) {
  for (const key of Object.keys(english).filter((each) => each.startsWith(KEYS))) {
    const values = valuesIn(message, english[key]!);
    if (values) return filled(other[key]!, values);
  }
  return null;
}

/** What stands in a sentence where another one has {names}; null where it is not that sentence, and says more in words. */
function valuesIn(message: string, sentence: string): Record<string, string> | null {
  const parts = sentence.split(/\{(\w+)\}/).map((part, i) => (i % 2 ? `(?<${part}>.+)` : part.replace(/\W/g, "\\$&")));
  const found = new RegExp(`^${parts.join("")}$`).exec(message);
  if (!found || Object.values(found.groups ?? {}).some((value) => WORDS.test(value))) return null;
  return { ...found.groups };
}
