// The page: the steps, the chosen face beside them, history and downloads.

import * as api from "./api.js";
import { designPanel } from "./design.js";
import { editorPanel } from "./editor.js";
import { byId, complain, element, quiet } from "./elements.js";
import * as face from "./face.js";
import * as gallery from "./gallery.js";
import * as photograph from "./photograph.js";
import * as state from "./state.js";

const EDITOR = 4;
const TITLES = ["Face", "Style", "Colouring", "Details", "Editor"];

let about = null; // what the server says of the model
let shown = null; // the panel that is shown
let panels = [];
let comparing = false;

const stepButtons = TITLES.map((title, view) => element("button", {
  type: "button", onclick: () => { if (state.now().view !== view) state.change({ view }); },
}, element("span", { class: "number", "aria-hidden": "true" }, view < EDITOR ? String(view + 1) : "✎"), title));

function sourceWords({ source, choices, edits }) {
  if (!source) return "";
  const origin = "seed" in source ? `Seed ${source.seed}` : "A photograph";
  const made = choices.flat().length + edits.length;
  const changes = made ? `, ${made} ${made === 1 ? "change" : "changes"}` : "";
  return `${origin}${changes} · ${about.name}, ${about.size} × ${about.size} pixels`;
}

async function describe(model) {
  if (about?.name === model) return;
  about = await api.get("model", `/api/models/${encodeURIComponent(model)}`);
  shown?.leave();
  shown = null;
}

async function show(current) {
  quiet();
  stopComparing();
  try { await describe(current.model); } catch (error) { complain(error); return; }
  if (current !== state.now()) return;
  byId("model").value = current.model;
  face.useRegions(about.regions.length ? about.regions : about.layers.map(({ name }) => name), () => { if (state.now().view === EDITOR) shown?.show(state.now()); });
  stepButtons.forEach((button, view) => {
    button.disabled = view > 0 && !current.source;
    button.parentElement.hidden = view < EDITOR && view >= about.steps.length;
    if (view === current.view) button.setAttribute("aria-current", "step");
    else button.removeAttribute("aria-current");
  });
  byId("back").disabled = !state.canBack();
  byId("forward").disabled = !state.canForward();
  byId("about").textContent = sourceWords(current);
  byId("to-editor").hidden = current.view === EDITOR;
  for (const id of ["before", "to-editor", "download-picture", "download-code", "download-script"]) byId(id).disabled = !current.source;
  byId("before").disabled = !current.source || !current.edits.length;
  byId("download-photograph").hidden = !photograph.isPhotograph();
  const panel = panels[current.view === EDITOR ? 1 : 0];
  if (shown !== panel) { shown?.leave(); shown = panel; }
  face.setInteractive(current.view === EDITOR && about.regions.length > 0);
  const updating = face.update();
  panel.show(current);
  await updating;
  if (current !== state.now() || comparing) return;
  if (face.present() && current.source) gallery.add(current).catch(() => {}); // a picture that was replaced meanwhile
}

function save(blob, name) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// A result that the server no longer keeps is made again.
async function download(file, name) {
  try {
    stopComparing();
    await face.update();
    let result = face.present();
    if (!result) return; // it was said why
    try {
      save(await api.file(`/api/results/${result.id}/${file}`), name);
    } catch (error) {
      if (error.status !== 404) throw error;
      result = await api.post("edit", "/api/edit", face.body());
      save(await api.file(`/api/results/${result.id}/${file}`), name);
    }
  } catch (error) { complain(error); }
}

function stopComparing() {
  if (!comparing) return;
  comparing = false;
  byId("before").setAttribute("aria-pressed", "false");
  byId("stage").classList.remove("before");
}

async function compare() {
  if (comparing) { stopComparing(); await face.update(); return; }
  comparing = true;
  byId("before").setAttribute("aria-pressed", "true");
  byId("stage").classList.add("before");
  await face.update(state.script([]), true);
}

async function begin() {
  byId("steps").append(...stepButtons.map((button) => element("li", {}, button)));
  byId("back").onclick = state.back;
  byId("forward").onclick = state.forward;
  byId("before").onclick = compare;
  byId("to-editor").onclick = () => state.change({ view: EDITOR });
  byId("download-picture").onclick = () => download("picture.png", "face.png");
  byId("download-code").onclick = () => download("code.safetensors", "face.safetensors");
  byId("download-script").onclick = () => download("script.json", "face.json");
  byId("download-photograph").onclick = async () => {
    try { save(await photograph.photographFile(), "photograph.png"); } catch (error) { complain(error); }
  };
  byId("message").querySelector("button").onclick = quiet;
  byId("model").onchange = (event) => state.restart(event.target.value);
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.target.matches("input[type=number]")) return;
    const key = event.key.toLowerCase();
    if (key === "z" && !event.shiftKey) { event.preventDefault(); state.back(); }
    if (key === "y" || (key === "z" && event.shiftKey)) { event.preventDefault(); state.forward(); }
  });
  face.begin();
  gallery.begin();
  panels = [designPanel(() => about), editorPanel(() => about)];
  try {
    const { models } = await api.get("models", "/api/models");
    byId("model").append(...models.map((name) => element("option", { value: name }, name)));
    state.listen(show);
    state.begin(models);
  } catch (error) { complain(error); }
}

begin();
