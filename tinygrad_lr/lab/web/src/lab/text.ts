// The page's texts in the language in force. lab.zh.json has every key of lab.en.json, which the compiler checks.
import { filled, type Language } from "../common/page";
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

/** A sentence of Python's documentation without its marks of code. */
export function plain(about: string): string {
  return about.replace(/`/g, "");
}

/** The text of a key that may not be there, as for a surface that was registered later. */
export function textOr(key: string, otherwise: string): string {
  return (TEXTS[inForce] as Record<string, string>)[key] ?? otherwise;
}
