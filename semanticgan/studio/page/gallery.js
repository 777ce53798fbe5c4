// What was made in this visit: small pictures, each of which can be opened again.

import { byId, element } from "./elements.js";
import * as state from "./state.js";

const KEPT = "semanticgan-studio-gallery-2";
const MOST = 48;
const MOST_KEPT = [24, 8, 0]; // over a reload
const SIDE = 128;
const PARTS = ["model", "source", "choices", "edits", "photograph", "locked", "composite"];

let entries = []; // the newest first

const partsOf = (current) => Object.fromEntries(PARTS.map((name) => [name, current[name]]));
const keyOf = (parts) => JSON.stringify([parts.model, parts.source, parts.choices.flat(), parts.edits, parts.composite]);

function keep() {
  for (const most of MOST_KEPT) {
    try { sessionStorage.setItem(KEPT, JSON.stringify(entries.slice(0, most))); return; } catch { /* no room: fewer */ }
  }
}

function show() {
  byId("gallery").hidden = !entries.length;
  const present = keyOf(partsOf(state.now()));
  byId("made").replaceChildren(...entries.map((entry, index) => element("li", {}, element("button", {
    type: "button", class: "cell", "aria-label": `Open picture ${entries.length - index} again`,
    "aria-pressed": String(entry.key === present),
    onclick: () => { if (entry.key !== keyOf(partsOf(state.now()))) state.change(entry.parts); },
  }, element("img", { alt: "", src: entry.picture, draggable: "false" })))));
}

function small(image) {
  const canvas = element("canvas", { width: SIDE, height: SIDE });
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = image.naturalWidth > SIDE;
  context.drawImage(image, 0, 0, SIDE, SIDE);
  return canvas.toDataURL("image/jpeg", 0.9);
}

// Keep the face that is shown.
export async function add(current) {
  const parts = partsOf(current);
  const key = keyOf(parts);
  if (!entries.some((entry) => entry.key === key)) {
    const image = byId("face");
    const shown = image.src;
    await image.decode();
    if (image.src !== shown || current !== state.now()) return;
    entries = [{ key, parts, picture: small(image) }, ...entries].slice(0, MOST);
    keep();
  }
  show();
}

export function begin() {
  try { entries = JSON.parse(sessionStorage.getItem(KEPT)) ?? []; } catch { /* nothing was kept */ }
  byId("empty-gallery").onclick = () => { entries = []; keep(); show(); };
  state.listen(show);
}
