// A bar with a button to cancel, for a long job of the server.

import * as api from "./api.js";
import { element } from "./elements.js";

export function makeProgress(label) {
  const bar = element("progress", { "aria-label": label });
  const words = element("span", { class: "hint" });
  const cancel = element("button", { type: "button" }, "Cancel");
  const root = element("div", { class: "bar", hidden: true }, bar, words, cancel);

  return {
    root,
    // Shows the job at an address until it ends. An error of the name "AbortError" says that it was cancelled.
    async follow(address) {
      const control = new AbortController();
      cancel.onclick = () => { control.abort(); api.forget(address); };
      root.hidden = false;
      bar.removeAttribute("value");
      words.textContent = "Waiting";
      try {
        return await api.follow(address, (told) => {
          if (told.total) { bar.max = told.total; bar.value = told.done; }
          words.textContent = told.total ? `${told.done} of ${told.total}` : told.state === "running" ? "Working" : "Waiting";
        }, control.signal);
      } finally { root.hidden = true; }
    },
  };
}
