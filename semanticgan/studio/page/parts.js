// What operations are about: regions by their names, or layers of a layered model, "layer.0".

const LAYER = "layer.";

export const isLayer = (name) => name.startsWith(LAYER);
export const numberOf = (name) => Number(name.slice(LAYER.length));

const layersIn = (text) => text.split(",").flatMap((part) => {
  const [first, last = first] = part.split("-").map(Number);
  return Array.from({ length: last - first + 1 }, (_, index) => `${LAYER}${first + index}`);
});

// Names of layers as an edit script writes them: "0-2,5".
export function layersText(names) {
  const runs = [];
  for (const number of names.map(numberOf).sort((one, other) => one - other)) {
    if (runs.at(-1)?.at(-1) === number - 1) runs.at(-1).push(number);
    else runs.push([number]);
  }
  return runs.map((run) => (run.length > 1 ? `${run[0]}-${run.at(-1)}` : `${run[0]}`)).join(",");
}

// Names of regions ("base" stands for the base rows) or of layers; none for all that a direction moves.
export const partsOf = (one) => (one.layers ? layersIn(one.layers) : one.regions);

// The same operation on these parts alone.
export function confined(one, names) {
  if (names.some(isLayer)) return { ...one, regions: [], layers: layersText(names) };
  return one.layers ? { ...one, regions: [], layers: "" } : { ...one, regions: names };
}

// A swap of parts, as an edit script writes it.
export const mixWith = (source, names) => confined({ source, regions: [], what: "both", include_base: false, weight: 1 }, names);

// For people: "hair, mouth" or "layers 0 to 2, 5".
export function listed(names) {
  if (!names.some(isLayer)) return names.map((name) => name.replaceAll("_", " ")).join(", ");
  const text = layersText(names).replaceAll("-", " to ").replaceAll(",", ", ");
  return `${names.length > 1 ? "layers" : "layer"} ${text}`;
}
