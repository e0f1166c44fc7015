// The panels under the glass. While a path plays they change with every frame: what stays is left as it is.
import { h, put } from "./dom";
import { symbolOrExpression, type DrawnLine, type Row } from "./glass";
import { caption } from "./layout";
import { t } from "./text";

/** Show MathML, which the page itself wrote, if it is another than before. */
function draw(element: HTMLElement, text: string): void {
  if (element.dataset.drawn === text) return;
  element.dataset.drawn = text;
  element.innerHTML = text;
}

/** Make so many elements of a list; those that are there stay. */
function resize(list: HTMLElement, count: number, make: () => HTMLElement): void {
  while (list.children.length > count) list.lastElementChild!.remove();
  while (list.children.length < count) list.append(make());
}

/** The formula's lines, and where they were published. */
export class FormulaPanel {
  readonly element: HTMLElement;
  private readonly list = h("ol", { class: "lines" });
  private readonly source = h("p", { class: "caption" });

  constructor() {
    const region = { class: "scroll", tabindex: "0", role: "region", "aria-label": t("formulaOf") };
    this.element = h(
      "div",
      {},
      h("h3", {}, t("formulaOf")),
      h("div", region, this.list),
      caption(t("formulaCaption")),
      this.source,
    );
  }

  show(lines: DrawnLine[], source: string): void {
    resize(this.list, lines.length, () =>
      h("li", {}, ...["line", "numbers", "instead"].map((each) => h("div", { class: each }))),
    );
    lines.forEach(({ line, numbers, instead }, i) => {
      const [own, below, other] = [...this.list.children[i]!.children] as HTMLElement[];
      draw(own!, line);
      draw(below!, numbers);
      draw(other!, instead && `${t("instead")} <div class="line">${instead}</div>`);
      below!.hidden = !numbers;
      other!.hidden = !instead;
    });
    this.source.lang = lines.length ? "en" : document.documentElement.lang; // a paper, or that there is none
    put(this.source, source);
  }
}

/** A table whose rows have a name and some numbers. */
class NumbersTable {
  readonly element: HTMLElement;
  private readonly body = h("tbody", {});

  constructor(private readonly heads: string[]) {
    const row = h("tr", {}, ...heads.map((each) => h("th", { scope: "col" }, each)));
    this.element = h("table", {}, h("thead", {}, row), this.body);
  }

  show(rows: Row[]): void {
    this.element.hidden = !rows.length;
    const cells = this.heads.slice(1);
    resize(this.body, rows.length, () =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, h("span", {}), h("span", {}), h("code", {})),
        ...cells.map(() => h("td", {})),
      ),
    );
    rows.forEach(({ name, symbol, code, cells }, i) => {
      const [head, ...others] = [...this.body.children[i]!.children] as HTMLElement[];
      const [text, drawn, written] = [...head!.children] as HTMLElement[];
      put(text!, symbol || code ? `${name} ` : name);
      draw(drawn!, symbol ? symbolOrExpression(symbol) : "");
      put(written!, code ? (symbol ? ` ${code}` : code) : "");
      others.forEach((cell, place) => put(cell, cells[place]!));
    });
  }
}

/** The table of what a step changes, and under it the numbers that the rule was called with. */
export class NumbersPanel {
  readonly element: HTMLElement;
  private readonly note = h("p", { class: "caption" });
  private readonly table = new NumbersTable([t("quantity"), t("before"), t("afterFormula"), t("afterRule")]);
  private readonly scalars = new NumbersTable([t("scalar"), t("value")]);
  private readonly details: HTMLElement;

  constructor() {
    this.details = h("details", {}, h("summary", {}, t("scalarsOf")), this.scalars.element);
    this.element = h(
      "div",
      { class: "panel numbers-of" },
      h("h3", {}, t("numbersOf")),
      h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("numbersOf") }, this.table.element),
      this.note,
      this.details,
    );
  }

  show(rows: Row[], scalars: Row[], note: string): void {
    this.table.show(rows);
    this.scalars.show(scalars);
    this.details.hidden = !scalars.length;
    put(this.note, note);
  }
}
