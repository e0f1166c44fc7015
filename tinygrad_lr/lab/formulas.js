// How formulas measure the page's parameter, a matrix of one row: `theta` is the flat array of its elements. Along its rows
// (axis -1) there is one mean, along its columns (axis -2) each element is its own. No formula stands here.

function dimensions() {
  return 2;
}

function mean(values, axis) {
  if (typeof values === "number" || axis === -2) return values;
  return values.reduce((total, each) => total + each, 0) / values.length;
}

function norm(values) {
  return Math.sqrt(values.reduce((total, each) => total + each * each, 0));
}
