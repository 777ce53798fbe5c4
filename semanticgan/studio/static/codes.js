// Latent codes of edit scripts: rows of a seed's code, with rows taken from other seeds.

// The numbers of the rows that an operation takes from its source.
export function rowsOf(names, { regions, what, include_base: includeBase }) {
  const parts = what === "both" ? ["structure", "texture"] : [what];
  const wanted = new Set(regions.flatMap((region) => parts.map((part) => `${region}.${part}`)));
  const numbers = names.map((_, number) => number);
  return numbers.filter((number) => wanted.has(names[number]) || (includeBase && names[number].startsWith("base.")));
}

export const seedsOf = (script) => [script.source.seed, ...script.operations.map((one) => one.source.seed)];

// w [D] -> row of a code, truncated: w-bar + psi (w - w-bar).
function row(about, w, number, truncation) {
  const mean = about.mean_latent[Math.min(number, about.mean_latent.length - 1)];
  return w.map((value, index) => mean[index] + truncation * (value - mean[index]));
}

// The code [R, D] of a script; w(seed) is the mapping's output [D].
export function codeOf(about, script, w) {
  const code = new Float32Array(about.rows.length * about.style_dim);
  const put = (numbers, { seed, truncation }) => numbers.forEach((number) => {
    code.set(row(about, w(seed), number, truncation), number * about.style_dim);
  });
  put(about.rows.map((_, number) => number), script.source);
  script.operations.forEach((one) => put(rowsOf(about.rows, one), one.source));
  return code;
}
