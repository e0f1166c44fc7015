// The page's texts in the language in force. lab.zh.json has every key of lab.en.json, which the compiler checks.
import { filled, type Language } from "../common/page";
import { foreign, h } from "./dom";
import type { Said } from "./engine";
import { inWords, type Method, type Misfit } from "./refusals.ts";
import en from "../strings/lab.en.json";
import zh from "../strings/lab.zh.json";

export type Key = keyof typeof en;
export type { Language };

const TEXTS: Record<Language, Record<Key, string>> = { en, zh };
let inForce: Language = "en";

export function speak(language: Language): void {
  inForce = language;
}

/** The text of a key; {name} in it stands for a value. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  return filled(TEXTS[inForce][key], values);
}

/** What the package's tables say, in the language in force if they have it, and the language that it is in. */
export function told([english, chinese]: Said): { text: string; lang: string } {
  return inForce === "zh" && chinese ? { text: chinese, lang: "zh-Hans" } : { text: english, lang: "en" };
}

/** The same as a paragraph, with what it marks as code as such. */
export function documented(said: Said): HTMLElement {
  const { text, lang } = told(said);
  const parts = text.split(/`+/).map((each, i) => (i % 2 ? h("code", {}, each) : each));
  return h("p", { class: "about", lang }, ...parts);
}

/** Why Python refuses what was chosen: the frequent sentences in the language in force, others as Python says them. */
export function refusal(message: string): string {
  return inWords(message, en, TEXTS[inForce]) ?? t("pythonSays", { message: foreign(message) });
}

const METHODS: Record<Method, Key> = {
  repeat: "methodRepeat",
  shift: "methodShift",
  times: "aroundTimes",
  clip: "methodClip",
};

/** Why the phases make no schedule, led in with where it arose, in the language in force. */
export function misfit(found: Misfit): string {
  return ledIn(found, refusal(found.message), TEXTS[inForce]);
}

/** The same in English, for a comment in Python. */
export function misfitInEnglish(found: Misfit): string {
  return ledIn(found, found.message, en);
}

function ledIn({ phase, method }: Misfit, message: string, texts: Record<Key, string>): string {
  const place = filled(texts[phase ? "misfitPhase" : "misfitAll"], phase ?? {});
  const said = method ? filled(texts.nameIs, { name: texts[METHODS[method]], said: message }) : message;
  return filled(texts.nameIs, { name: place, said });
}

/** What is said of somebody or something. */
export function says(name: string, said: string): string {
  return t("nameIs", { name, said });
}

const LONGEST = 40;

/** A column's name where a sentence or a label has it: a long one is cut. */
export function short(name: string): string {
  const letters = [...name];
  return letters.length > LONGEST ? `${letters.slice(0, LONGEST - 1).join("")}…` : name;
}

/** The text of a key that may not be there, as for a surface that was registered later. */
export function textOr(key: string, otherwise: string): string {
  return (TEXTS[inForce] as Record<string, string>)[key] ?? otherwise;
}
