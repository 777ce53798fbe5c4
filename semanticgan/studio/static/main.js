// The page without a server: four steps, the chosen face beside them, history and downloads.

import * as engine from "./engine.js";
import { byId, complain, element, png, quiet, say } from "./elements.js";
import * as files from "./files.js";
import { makeGrid } from "./grid.js";
import * as history from "./history.js";

const MOST_KEPT = 400; // pictures by their scripts

let about = null; // studio.json
let ready = null; // a promise: the model is there
let grid = null;
let shownView = -1;
let turn = 0;
const pictures = new Map(); // script as JSON -> base64 of a PNG, the newest last
const stepButtons = [];

const megabytes = (bytes) => (bytes / 1e6).toFixed(1);

function keep(script, picture) {
  pictures.set(JSON.stringify(script), picture);
  if (pictures.size > MOST_KEPT) pictures.delete(pictures.keys().next().value);
}

const source = (seed) => ({ seed, truncation: about.truncation });
const known = (script) => pictures.get(JSON.stringify(script));

// The pictures of scripts, as base64 of PNGs; only those that are not kept are computed.
async function render(kind, scripts) {
  const missing = scripts.filter((script) => !known(script));
  const found = missing.length ? await engine.render(kind, missing) : [];
  const fresh = new Map(missing.map((script, index) => [JSON.stringify(script), files.base64(found[index].png)]));
  const all = scripts.map((script) => known(script) ?? fresh.get(JSON.stringify(script)));
  scripts.forEach((script, index) => keep(script, all[index]));
  return all;
}

// What a step offers: each choice, and the whole edit with it.
function offers({ view, shuffles }) {
  const { first_seed: first, operation } = about.steps[view];
  return Array.from({ length: about.num_offered }, (_, index) => {
    const from = source(first + about.num_offered * shuffles[view] + index);
    const choice = operation ? { source: from, ...operation } : from;
    return { choice, script: history.scriptWith(view, choice) };
  });
}

function showFace(picture) {
  const image = byId("face");
  image.hidden = !picture;
  byId("empty").hidden = Boolean(picture);
  if (picture) { image.src = png(picture); delete byId("stage").dataset.empty; } else byId("stage").dataset.empty = "";
}

function choose(view, { choice, picture }) {
  showFace(picture);
  if (!view) history.change({ source: choice });
  else history.change({ choices: history.now().choices.map((old, index) => (index === view ? choice : old)) });
}

function shuffle(view, by) {
  const { shuffles } = history.now();
  const next = (old) => Math.min(Math.max(old + by, 0), about.most_shuffles);
  history.change({ shuffles: shuffles.map((old, index) => (index === view ? next(old) : old)) });
}

// A seed that was noted, or that Python knows.
function seedForm() {
  const input = element("input", { type: "number", id: "seed", min: 0, max: about.largest_seed, step: 1, inputmode: "numeric" });
  const take = (event) => {
    event.preventDefault();
    const seed = input.value === "" ? NaN : Number(input.value);
    if (!Number.isInteger(seed) || seed < 0 || seed > about.largest_seed) {
      complain(new Error(`A seed is a whole number from 0 to ${about.largest_seed}.`));
    } else history.change({ source: source(seed) });
  };
  return element("form", { class: "bar", novalidate: true, onsubmit: take },
    element("label", { for: "seed" }, "Or begin with the face of a seed"), input, element("button", { id: "take" }, "Show"));
}

function build(view) {
  const { title, hint } = about.steps[view];
  const last = view === about.steps.length - 1;
  grid = makeGrid(`Sixteen choices: ${title}`, title);
  const next = element("button", { type: "button", id: "next", class: "primary", onclick: () => history.change({ view: view + 1 }) },
    last ? "" : `Next: ${about.steps[view + 1].title}`);
  next.hidden = last;
  byId("panel").replaceChildren(
    element("div", { class: "heading" },
      element("div", {}, element("h1", { id: "panel-title" }, title), element("p", { class: "hint" }, hint)),
      element("div", { class: "bar" },
        element("button", { type: "button", id: "earlier", onclick: () => shuffle(view, -1) }, "Earlier"),
        element("button", { type: "button", id: "shuffle", onclick: () => shuffle(view, 1) }, "Shuffle"),
        next)),
    grid.root,
    element("p", { class: "counter", id: "counter" }),
    ...(view ? [] : [seedForm()]));
  shownView = view;
}

function describe({ source: from, choices }) {
  if (!from) return "";
  const made = choices.filter((choice) => choice).length;
  return `Seed ${from.seed}${made ? `, ${made} ${made === 1 ? "change" : "changes"}` : ""} · ${about.size} × ${about.size} pixels`;
}

function mark(current) {
  const { view } = current;
  stepButtons.forEach((button, index) => {
    button.disabled = index > 0 && !current.source;
    if (index === view) button.setAttribute("aria-current", "step"); else button.removeAttribute("aria-current");
  });
  byId("back").disabled = !history.canBack();
  byId("forward").disabled = !history.canForward();
  for (const id of ["download-picture", "download-code", "download-script"]) byId(id).disabled = !current.source;
  byId("about").textContent = describe(current);
  const number = current.shuffles[view];
  byId("counter").textContent = number ? `Shuffled ${number === 1 ? "once" : `${number} times`}` : "";
  byId("earlier").disabled = !number;
  byId("shuffle").disabled = number >= about.most_shuffles;
  byId("next").disabled = !current.source;
}

async function show(current) {
  quiet();
  const mine = turn += 1;
  if (shownView !== current.view) build(current.view);
  mark(current);
  const offered = offers(current);
  const isChosen = ({ choice }) => history.same(choice, current.view ? current.choices[current.view] : current.source);
  grid.wait();
  try {
    await ready;
    if (mine !== turn) return;
    if (!current.source) showFace(null);
    else {
      const [picture] = await render("face", [history.script()]);
      if (mine !== turn) return;
      showFace(picture);
    }
    const found = await render("offer", offered.map(({ script }) => script));
    if (mine !== turn) return;
    grid.show(offered.map((one, index) => ({ ...one, picture: found[index] })), (one) => choose(current.view, one));
    grid.mark(isChosen);
    say(`Sixteen choices for ${about.steps[current.view].title} are there`);
  } catch (error) { complain(error); }
}

function save(content, type, name) {
  const link = element("a", { href: URL.createObjectURL(new Blob([content], { type })), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

async function savePicture() {
  const script = history.script();
  const [picture] = await render("save", [script]);
  const bytes = Uint8Array.from(atob(picture), (letter) => letter.charCodeAt(0));
  save(files.marked(bytes, about, script), "image/png", "face.png");
}

async function saveCode() {
  const [{ code }] = await engine.render("save", [history.script()]);
  save(files.safetensors(about, code), "application/octet-stream", "face.safetensors");
}

function progress(loaded, total) {
  byId("loading").max = total;
  byId("loading").value = loaded;
  byId("empty-text").textContent = `Loading the model: ${megabytes(loaded)} of ${megabytes(total)} MB`;
}

async function read() {
  let answer;
  try { answer = await fetch(new URL("./studio.json", import.meta.url)); } catch { /* said below */ }
  if (!answer?.ok) throw new Error("studio.json could not be loaded. Serve the whole folder by a web host, then reload the page.");
  return answer.json();
}

function connect() {
  const tell = (work) => async () => { try { await work(); } catch (error) { complain(error); } };
  stepButtons.push(...about.steps.map(({ title }, view) => element("button", {
    type: "button", onclick: () => { if (history.now().view !== view) history.change({ view }); },
  }, element("span", { class: "number", "aria-hidden": "true" }, String(view + 1)), title)));
  byId("steps").append(...stepButtons.map((button) => element("li", {}, button)));
  byId("back").onclick = history.back;
  byId("forward").onclick = history.forward;
  byId("download-picture").onclick = tell(savePicture);
  byId("download-code").onclick = tell(saveCode);
  byId("download-script").onclick = () => save(`${JSON.stringify(history.script())}\n`, "application/json", "face.json");
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.target.matches("input[type=number]")) return;
    const key = event.key.toLowerCase();
    if (key === "z" && !event.shiftKey) { event.preventDefault(); history.back(); }
    if (key === "y" || (key === "z" && event.shiftKey)) { event.preventDefault(); history.forward(); }
  });
}

async function begin() {
  byId("message").querySelector("button").onclick = quiet;
  try {
    about = await read();
    byId("terms").textContent = `Model ${about.name}: ${about.description}. Terms: ${about.licence || "not stated"}.`;
    ready = engine.begin(about, progress);
    connect();
    history.begin(`${about.name} ${about.digest}`, about.steps.length, show);
    await ready;
    byId("loading").hidden = true;
    byId("empty-text").textContent = "Choose one of the sixteen faces.";
  } catch (error) {
    byId("loading").hidden = true;
    byId("empty-text").textContent = "The model is not there.";
    complain(error);
  }
}

begin();
