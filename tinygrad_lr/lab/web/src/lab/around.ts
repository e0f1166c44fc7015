// What can be put around a phase, or around all of them: .repeat, .shift, a factor, .clip. It opens when it holds something.
import { numberField, type Control } from "./controls";
import { h } from "./dom";
import { caption, updateAll } from "./layout";
import { aroundOf, type Around } from "./state";
import { t, type Key } from "./text";

const FIELDS: [keyof Around, Key, boolean][] = [
  ["repeat", "aroundRepeat", true],
  ["shift", "aroundShift", true],
  ["times", "aroundTimes", false],
  ["min", "aroundMin", false],
  ["max", "aroundMax", false],
];

export function aroundControls(
  title: string,
  now: () => Around | undefined,
  set: (around: Around | undefined) => void,
): Control {
  const fields = FIELDS.map(([name, label, whole]) =>
    numberField(
      t(label),
      () => now()?.[name] ?? null,
      (value) => set(aroundOf({ ...now(), [name]: value })),
      { whole, empty: true },
    ),
  );
  let [used, byItself] = [false, false]; // whether it holds something, and whether only that has opened it
  const element = h(
    "details",
    { "aria-label": title },
    h("summary", { click: () => (byItself = false) }, title),
    h("div", { class: "args" }, ...fields.map((field) => field.element)),
    caption(t("aroundOrder")),
  );
  const update = () => {
    updateAll(fields);
    const before = used;
    used = now() !== undefined;
    if (used && !before && !element.open) element.open = byItself = true;
    if (used || !byItself) return;
    byItself = false;
    if (!element.contains(document.activeElement)) element.open = false; // nobody is writing in it
  };
  update();
  return { element, update };
}
