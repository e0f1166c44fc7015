// Controls: sliders, number fields, menus and buttons, each with its label. `update` shows the state's value.
import { freshId, h, put } from "./dom";
import { clamped, rounded, shown } from "./numbers";
import { t } from "./text";

export interface Control {
  element: HTMLElement;
  update(): void;
}

interface Entry {
  note: HTMLElement; // what is wrong with what was written
  update(): void;
}

/**
 * Let a field be written in: what somebody types stays until it is taken, whatever the state does meanwhile.
 * `take` gives what is wrong with it, or "".
 */
function entry(field: HTMLInputElement, now: () => string, take: () => string): Entry {
  const note = h("span", { class: "note", role: "alert" });
  let typing = false;
  let [wrong, at] = ["", ""]; // what is said, and the value at which it is
  const update = () => {
    if (typing) return;
    const value = now();
    if (field.value !== value || field.validity.badInput) field.value = value;
    if (value !== at) wrong = "";
    put(note, wrong);
  };
  field.addEventListener("input", () => (typing = true));
  field.addEventListener("change", () => {
    typing = false;
    wrong = take();
    at = now();
    update();
  });
  field.addEventListener("blur", () => {
    typing = false;
    update();
  });
  return { note, update };
}

interface Slider {
  label: string;
  min: number;
  max: number;
  log?: boolean;
  step?: number;
  any?: boolean; // whether the field takes numbers that the slider does not reach
  value(): number;
  set(value: number, live: boolean): void;
}

/** A slider with a field beside it, in which any number within its bounds can be written. */
export function slider(given: Slider): Control {
  const id = freshId();
  const [place, number] = given.log
    ? [Math.log10, (at: number) => rounded(10 ** at)]
    : [identity, (at: number) => rounded(at, 6)];
  const range = h("input", {
    type: "range",
    id,
    min: String(place(given.min)),
    max: String(place(given.max)),
    step: String(given.log ? 0.02 : (given.step ?? (given.max - given.min) / 200)),
    input: () => given.set(within(number(Number(range.value)), given), true),
    change: () => given.set(within(number(Number(range.value)), given), false),
  });
  const field = h("input", {
    type: "number",
    step: given.step ? String(given.step) : "any",
    min: !given.any && String(given.min),
    max: !given.any && String(given.max),
    "aria-label": given.label,
  });
  const { note, update: updateField } = entry(
    field,
    () => String(given.value()),
    () => {
      const value = field.valueAsNumber;
      if (!Number.isFinite(value)) return t("noNumber");
      given.set(given.any ? value : within(value, given), false);
      return given.any ? "" : beyond(value, given);
    },
  );
  const update = () => {
    const value = given.value();
    range.value = String(place(Math.max(value, given.log ? 1e-300 : -Infinity)));
    range.setAttribute("aria-valuetext", shown(value));
    updateField();
  };
  update();
  return { element: h("div", { class: "slider" }, h("label", { for: id }, given.label), range, field, note), update };
}

function identity(x: number): number {
  return x;
}

/** What is said of a number outside the limits. */
function beyond(value: number, { min = -Infinity, max = Infinity }: { min?: number; max?: number }): string {
  if (value >= min && value <= max) return "";
  const [least, most] = [min, max].map((each) => shown(each, 12));
  return max === Infinity ? t("atLeast", { min: least! }) : t("fromTo", { min: least!, max: most! });
}

function within(value: number, { min, max, step }: Slider): number {
  const whole = step === 1 ? Math.round(value) : value;
  return Math.min(Math.max(whole, min), max);
}

/** A field of one number, brought within its limits; an empty one is null, where that is allowed. */
export function numberField(
  label: string,
  value: () => number | null,
  set: (value: number | null) => void,
  options: { whole?: boolean; empty?: boolean; min?: number; max?: number } = {},
): Control {
  const id = freshId();
  const field = h("input", {
    type: "number",
    id,
    step: options.whole ? "1" : "any",
    min: options.min === undefined ? false : String(options.min),
    max: options.max === undefined ? false : String(options.max),
    placeholder: options.empty ? t("empty") : false,
  });
  const { note, update } = entry(
    field,
    () => String(value() ?? ""),
    () => {
      const given = field.value === "" && !field.validity.badInput && options.empty ? null : field.valueAsNumber;
      if (Number.isNaN(given)) return t("noNumber");
      set(given === null ? null : clamped(given, options.min ?? -Infinity, options.max ?? Infinity));
      return given === null ? "" : beyond(given, options);
    },
  );
  update();
  return { element: h("div", { class: "field" }, h("label", { for: id }, label), field, note), update };
}

/** A field of several numbers with commas between. */
export function numbersField(label: string, value: () => number[], set: (value: number[]) => void): Control {
  const id = freshId();
  const field = h("input", {
    type: "text",
    id,
    inputmode: "decimal",
  });
  const { note, update } = entry(
    field,
    () => value().join(", "),
    () => {
      const given = field.value
        .split(/[,，\s]+/)
        .filter(Boolean)
        .map(Number);
      if (!given.every(Number.isFinite)) return t("noNumber");
      set(given);
      return "";
    },
  );
  update();
  return { element: h("div", { class: "field" }, h("label", { for: id }, label), field, note), update };
}

export interface Option {
  value: string;
  text: string;
  group?: string;
}

export function menu(
  label: string,
  options: () => Option[],
  value: () => string,
  set: (value: string) => void,
): Control {
  const id = freshId();
  const select = h("select", { id, change: () => set(select.value) });
  let shownOptions = "";
  const update = () => {
    const now = options();
    const key = JSON.stringify(now);
    if (key !== shownOptions) select.replaceChildren(...choices(now));
    shownOptions = key;
    select.value = value();
  };
  update();
  return { element: h("div", { class: "field" }, h("label", { for: id }, label), select), update };
}

function choices(options: Option[]): HTMLElement[] {
  const groups = new Map<string, Option[]>();
  for (const each of options) groups.set(each.group ?? "", [...(groups.get(each.group ?? "") ?? []), each]);
  return [...groups].flatMap(([group, members]) => {
    const made = members.map(({ value, text }) => h("option", { value }, text));
    return group ? [h("optgroup", { label: group }, ...made)] : made;
  });
}

export function tick(label: string, value: () => boolean, set: (value: boolean) => void): Control {
  const id = freshId();
  const box = h("input", { type: "checkbox", id, change: () => set(box.checked) });
  const update = () => {
    box.checked = value();
  };
  update();
  return { element: h("div", { class: "tick" }, box, h("label", { for: id }, label)), update };
}

/** One of a few, as a row of radio buttons. */
export function choice(label: string, options: Option[], value: () => string, set: (value: string) => void): Control {
  const name = freshId();
  const boxes = options.map((option) =>
    h("input", { type: "radio", name, id: freshId(), value: option.value, change: () => set(option.value) }),
  );
  const pairs = boxes.flatMap((box, i) => [box, h("label", { for: box.id }, options[i]!.text)]);
  const update = () => {
    for (const box of boxes) box.checked = box.value === value();
  };
  update();
  return { element: h("fieldset", { class: "choice" }, h("legend", {}, label), ...pairs), update };
}

export function button(
  text: string,
  act: () => void,
  options: { label?: string; kind?: string } = {},
): HTMLButtonElement {
  return h(
    "button",
    { type: "button", click: act, "aria-label": options.label ?? false, class: options.kind ?? false },
    text,
  );
}

/** A button that puts a text into the clipboard, and shows it where that is not allowed. */
export function copyButton(text: string, done: string, what: () => string): HTMLElement {
  const said = h("span", { class: "said", role: "status" });
  const code = h("code", {});
  const area = h("pre", { tabindex: "0", hidden: true }, code);
  const act = async () => {
    put(code, what());
    area.hidden = false;
    try {
      await navigator.clipboard.writeText(what());
      put(said, done);
    } catch {
      getSelection()?.selectAllChildren(code);
    }
  };
  return h(
    "div",
    { class: "copy" },
    button(text, () => void act()),
    said,
    area,
  );
}
