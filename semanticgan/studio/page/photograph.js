// A photograph in place of a sampled face: dropped or chosen, inverted, then edited as any other.

import * as api from "./api.js";
import { byId, complain, element } from "./elements.js";
import * as face from "./face.js";
import * as state from "./state.js";

export function photographPanel(about) {
  const input = element("input", { type: "file", id: "photograph", accept: "image/png,image/jpeg,image/webp" });
  const aligned = element("input", { type: "checkbox", id: "aligned" });
  const progress = element("progress", { "aria-label": "Progress of the inversion" });
  const cancel = element("button", { type: "button" }, "Cancel");
  const under = element("div", { class: "bar", hidden: true }, progress, cancel);
  const root = element("section", { class: "card drop", "aria-labelledby": "photograph-title" },
    element("h2", { id: "photograph-title" }, "Or begin with a photograph"),
    element("p", { class: "hint" }, "Drop a PNG, JPEG or WebP here, or choose one. It stays on this computer and is gone after an hour."),
    element("div", { class: "bar" }, input,
      element("label", { class: "check", for: "aligned" }, aligned, "It is cropped to one face already")),
    under);

  async function begin(file) {
    const form = new FormData();
    form.append("model", about().name);
    form.append("aligned", String(aligned.checked));
    form.append("file", file);
    let id;
    try { ({ id } = await api.upload(form)); } catch (error) { complain(error); return; }
    const events = new EventSource(`/api/photographs/${id}/events`);
    const end = () => { events.close(); under.hidden = true; input.value = ""; };
    under.hidden = false;
    progress.removeAttribute("value");
    cancel.onclick = () => { end(); api.forget(id); };
    events.onerror = () => { end(); complain(new Error("The inversion was interrupted. Choose the photograph again.")); };
    events.onmessage = (event) => {
      const told = JSON.parse(event.data);
      if (told.total) { progress.max = told.total; progress.value = told.done; }
      if (told.state === "failed") { end(); complain(new Error(told.error)); }
      if (told.state === "done") {
        end();
        face.showPicture(told.picture);
        state.change({ source: told.script.source, choices: [null, null, null, null], edits: [], photograph: id, view: 4 });
      }
    };
  }

  input.addEventListener("change", () => { if (input.files[0]) begin(input.files[0]); });
  root.addEventListener("dragover", (event) => { event.preventDefault(); root.classList.add("over"); });
  root.addEventListener("dragleave", () => root.classList.remove("over"));
  root.addEventListener("drop", (event) => {
    event.preventDefault();
    root.classList.remove("over");
    if (event.dataTransfer.files[0]) begin(event.dataTransfer.files[0]);
  });
  return root;
}

export const isPhotograph = () => state.now().photograph !== null;
export const photographFile = () => api.file(`/api/photographs/${state.now().photograph}/result`, { script: state.script() });
export const mark = () => { byId("download-photograph").hidden = !isPhotograph(); };
