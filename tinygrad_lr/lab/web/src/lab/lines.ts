// Lines of very many points, as far as a picture can show them.

/** The points of a line that goes to the right: of those in one column of pixels the lowest, the highest and the last. */
export function inColumns(length: number, at: (i: number) => number, up: (i: number) => number): [number, number][] {
  const found: [number, number][] = [];
  let [column, low, high] = [NaN, 0, 0];
  for (let i = 0; i < length; i++) {
    const [x, y] = [at(i), up(i)];
    [low, high] = Math.floor(x) === column ? [Math.min(low, y), Math.max(high, y)] : [y, y];
    column = Math.floor(x);
    if (i < length - 1 && Math.floor(at(i + 1)) === column) continue;
    if (low < high) found.push([x, low], [x, high]);
    found.push([x, y]);
  }
  return found;
}
