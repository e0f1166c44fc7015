// Controls: sliders, number fields, menus and buttons, each with its label. `update` shows the state's value.
import { freshId, h, put } from "./dom";
import { rounded, shown } from "./numbers";

export interface Control {
  element: HTMLElement;
  update(): void;
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

/** Writes values into a field. What somebody types meanwhile stays, until it is taken or the value is another. */
function writer(field: HTMLInputElement): (text: string, isTaken?: boolean) => void {
  let last: string | null = null;
  return (text, isTaken = false) => {
    if (text === last && !isTaken && document.activeElement === field) return;
    field.value = last = text;
  };
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
    change: () => {
      const value = field.valueAsNumber;
      if (Number.isFinite(value)) given.set(given.any ? value : within(value, given), false);
      write(String(given.value()), true);
    },
  });
  const write = writer(field);
  const update = () => {
    const value = given.value();
    range.value = String(place(Math.max(value, given.log ? 1e-300 : -Infinity)));
    range.setAttribute("aria-valuetext", shown(value));
    write(String(value));
  };
  update();
  return { element: h("div", { class: "slider" }, h("label", { for: id }, given.label), range, field), update };
}

function identity(x: number): number {
  return x;
}

function within(value: number, { min, max, step }: Slider): number {
  const whole = step === 1 ? Math.round(value) : value;
  return Math.min(Math.max(whole, min), max);
}

/** A field of one number; an empty one is null, where that is allowed. */
export function numberField(
  label: string,
  value: () => number | null,
  set: (value: number | null) => void,
  options: { whole?: boolean; empty?: boolean; min?: number } = {},
): Control {
  const id = freshId();
  const field = h("input", {
    type: "number",
    id,
    step: options.whole ? "1" : "any",
    min: options.min === undefined ? false : String(options.min),
    change: () => {
      const given = field.value.trim() === "" ? null : field.valueAsNumber;
      if (given === null ? options.empty : Number.isFinite(given)) set(given);
      write(text(), true);
    },
  });
  const write = writer(field);
  const text = () => {
    const now = value();
    return now === null ? "" : String(now);
  };
  const update = () => write(text());
  update();
  return { element: h("div", { class: "field" }, h("label", { for: id }, label), field), update };
}

/** A field of several numbers with commas between. */
export function numbersField(label: string, value: () => number[], set: (value: number[]) => void): Control {
  const id = freshId();
  const field = h("input", {
    type: "text",
    id,
    inputmode: "decimal",
    change: () => {
      const given = field.value
        .split(/[,，\s]+/)
        .filter(Boolean)
        .map(Number);
      if (given.every(Number.isFinite)) set(given);
      write(value().join(", "), true);
    },
  });
  const write = writer(field);
  const update = () => write(value().join(", "));
  update();
  return { element: h("div", { class: "field" }, h("label", { for: id }, label), field), update };
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
