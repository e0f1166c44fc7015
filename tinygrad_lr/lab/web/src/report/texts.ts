/** The report's texts in each language: its own, and those that Python wrote into its data. */

import { filled, type Language } from "../common/page";
import {
  common as commonEnglish,
  names as namesEnglish,
  report as reportEnglish,
  said as saidEnglish,
} from "../strings/en.json";
import {
  common as commonChinese,
  names as namesChinese,
  report as reportChinese,
  said as saidChinese,
} from "../strings/zh.json";

// Sections by their names: esbuild bundles no others.
const ENGLISH = { common: commonEnglish, names: namesEnglish, report: reportEnglish, said: saidEnglish };
export const TEXTS: Record<Language, typeof ENGLISH> = {
  en: ENGLISH,
  zh: { common: commonChinese, names: namesChinese, report: reportChinese, said: saidChinese },
};

/** Sentences with places for values, as Python writes them, and their names. */
const SENTENCES = Object.entries(saidEnglish).map(([name, text]) => {
  const escaped = text.replace(/[.*+?^$()|[\]\\]/g, "\\$&");
  return {
    name: name as keyof typeof saidEnglish,
    pattern: new RegExp(`^${escaped.replace(/\{(\w+)\}/g, "(?<$1>.+?)")}$`),
  };
});

/** Whether what stands at a place is a name that a person gave. */
function isName(place: string): boolean {
  return place === "target" || place === "parameter";
}

/** A text of the data in the page's language; one that is in no table stays as it is. */
export function translated(language: Language, text: string): string {
  const names: Record<string, string> = TEXTS[language].names;
  if (Object.hasOwn(names, text)) return names[text]!;
  if (language === "en") return text;
  for (const { name, pattern } of SENTENCES) {
    const groups = pattern.exec(text)?.groups;
    if (!groups) continue;
    const values = Object.entries(groups).map(([each, value]) => [
      each,
      isName(each) ? value : translated(language, value),
    ]);
    return filled(TEXTS[language].said[name], Object.fromEntries(values));
  }
  return text;
}
