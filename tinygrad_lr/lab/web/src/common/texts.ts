/** Texts in pictures. */

/** A text, cut where it is wider than its room. */
export function cut(text: string, room: number, widthOf: (text: string) => number): string {
  const letters = [...text];
  if (widthOf(text) <= room) return text;
  do letters.pop();
  while (letters.length > 1 && widthOf(`${letters.join("")}…`) > room);
  return `${letters.join("")}…`;
}
