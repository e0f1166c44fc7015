// Colours that colour-blind people can tell apart (Okabe and Ito), each with a dash and a marker of its own.

export type Marker = "circle" | "square" | "triangle" | "diamond" | "cross" | "plus" | "down";

export interface Style {
  light: string;
  dark: string;
  dash: number[];
  marker: Marker;
}

const COLOURS: [string, string][] = [
  ["#0072B2", "#4DA3DB"],
  ["#C24E00", "#F08A4B"],
  ["#00805D", "#2FC79B"],
  ["#B0508A", "#E39BC4"],
  ["#9A6A00", "#F0B429"],
  ["#4499C9", "#8CD0F5"],
  ["#3A3A3A", "#E8E8E8"],
];
const DASHES = [[], [7, 3], [2, 2.5], [9, 3, 2, 3], [4, 4], [12, 4]];
const MARKERS: Marker[] = ["circle", "square", "triangle", "diamond", "cross", "plus", "down"];

/** The style of path number 0, 1, ...: no two of the first 42 are the same, nor need a colour to be told apart. */
export function styleOf(number: number): Style {
  const [light, dark] = COLOURS[number % COLOURS.length]!;
  const round = Math.floor(number / COLOURS.length);
  return {
    light,
    dark,
    dash: DASHES[(number + round) % DASHES.length]!,
    marker: MARKERS[(number + 3 * round) % MARKERS.length]!,
  };
}

/** Draw a marker's outline around a place; the caller fills or strokes it. */
export function trace(pen: CanvasRenderingContext2D, marker: Marker, x: number, y: number, r: number): void {
  pen.beginPath();
  const corners: Record<Marker, [number, number][]> = {
    circle: [],
    square: [
      [-0.9, -0.9],
      [0.9, -0.9],
      [0.9, 0.9],
      [-0.9, 0.9],
    ],
    triangle: [
      [0, -1.15],
      [1.1, 0.85],
      [-1.1, 0.85],
    ],
    down: [
      [0, 1.15],
      [1.1, -0.85],
      [-1.1, -0.85],
    ],
    diamond: [
      [0, -1.25],
      [1.25, 0],
      [0, 1.25],
      [-1.25, 0],
    ],
    cross: crossOf(Math.PI / 4),
    plus: crossOf(0),
  };
  if (marker === "circle") pen.arc(x, y, r, 0, 2 * Math.PI);
  else
    corners[marker].forEach(([dx, dy], i) =>
      i ? pen.lineTo(x + r * dx, y + r * dy) : pen.moveTo(x + r * dx, y + r * dy),
    );
  pen.closePath();
}

function crossOf(angle: number): [number, number][] {
  const arm = 0.38;
  const corners: [number, number][] = [
    [arm, arm],
    [1.25, arm],
    [1.25, -arm],
    [arm, -arm],
    [arm, -1.25],
    [-arm, -1.25],
    [-arm, -arm],
    [-1.25, -arm],
    [-1.25, arm],
    [-arm, arm],
    [-arm, 1.25],
    [arm, 1.25],
  ];
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  return corners.map(([x, y]) => [c * x - s * y, s * x + c * y]);
}
