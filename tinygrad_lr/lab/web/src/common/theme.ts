/** Light and dark: pictures are drawn anew when the colours of the style sheet change. Print is light. */

let prints = false;

function scheme(): MediaQueryList {
  return matchMedia("(prefers-color-scheme: dark)");
}

export function isDark(): boolean {
  return scheme().matches && !prints;
}

/** Draw again in other colours, at once, when the browser changes between light and dark, and before and after print. */
export function followTheme(redraw: () => void): void {
  const print = (begins: boolean) => () => {
    prints = begins;
    document.documentElement.classList.toggle("printed", begins);
    redraw();
  };
  scheme().addEventListener("change", redraw);
  addEventListener("beforeprint", print(true));
  addEventListener("afterprint", print(false));
}

/** A colour of the style sheet, such as "--line". */
export function named(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
