// A photograph, dropped or chosen: the face is chosen where there are several, and inverted.

import * as api from "./api.js";
import { complain, element, png, say } from "./elements.js";
import { makeProgress } from "./progress.js";
import * as state from "./state.js";

const TYPES = "image/png,image/jpeg,image/webp";
const MOST_BYTES = 10_000_000;
let number = 0;

// done({source, picture, id}) is called once the face is inverted.
export function photographBox({ about, title, hint, done }) {
  const id = `photograph${number ? `-${number}` : ""}`;
  number += 1;
  const input = element("input", { type: "file", id, accept: TYPES, "aria-label": "Photograph" });
  const aligned = element("input", { type: "checkbox", id: `${id}-aligned` });
  const progress = makeProgress("Progress of the inversion");
  const faces = element("div", { class: "faces", role: "group", "aria-label": "Faces of the photograph", hidden: true });
  const root = element("section", { class: "card drop", "aria-labelledby": `${id}-title` },
    element("h2", { id: `${id}-title` }, title), element("p", { class: "hint" }, hint),
    element("div", { class: "bar" }, input,
      element("label", { class: "check", for: `${id}-aligned` }, aligned, "It is cropped to one face already")),
    progress.root, faces);

  function askForFace(pictures) {
    faces.replaceChildren(element("p", {}, `The photograph shows ${pictures.length} faces. Choose one:`));
    faces.hidden = false;
    say(`The photograph shows ${pictures.length} faces. Choose one.`);
    return new Promise((resolve) => {
      faces.append(...pictures.map((picture, index) => element("button", {
        type: "button", class: "cell", "aria-label": `Face ${index + 1}`, onclick: () => { faces.hidden = true; resolve(index + 1); },
      }, element("img", { alt: "", src: png(picture) }))));
      faces.querySelector("button").focus();
    });
  }

  async function begin(file) {
    faces.hidden = true;
    const { model } = state.now();
    try {
      if (file.size > MOST_BYTES) throw new Error("The photograph has more than 10 MB. Reduce it and choose it again.");
      const form = new FormData();
      form.append("model", about().name);
      form.append("aligned", String(aligned.checked));
      form.append("file", file);
      const { id: name } = await api.upload(form);
      const address = `/api/photographs/${name}`;
      let told = await progress.follow(address);
      if (told.state === "choose") {
        const face = await askForFace(told.faces);
        await api.post("face", `${address}/face`, { face });
        told = await progress.follow(address);
      }
      if (state.now().model !== model) {
        throw new Error("Another model was chosen while the photograph was inverted. Choose the photograph again.");
      }
      done({ source: told.script.source, picture: told.picture, id: name });
    } catch (error) { complain(error); } finally { input.value = ""; }
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
