// The state of the page: one edit, in parts, and the history of all states.
//
// source      where the face comes from, as in an edit script; null before one is chosen
// choices     the operations of the steps 2 to 4, by their place; null where none is chosen
// edits       the operations of the editor
// shuffles    of each step, and of the variations
// view        0 to 3 for a step, 4 for the editor
// photograph  id of the upload that the source was found in, or null

const KEPT = "semanticgan-studio";
const MOST = 300;

const first = (model) => ({
  model, view: 0, source: null, choices: [null, null, null, null], edits: [], shuffles: [0, 0, 0, 0, 0], photograph: null,
});

let states = [];
let at = 0;
const listeners = [];

export const now = () => states[at];
export const canBack = () => at > 0;
export const canForward = () => at < states.length - 1;
export const listen = (listener) => listeners.push(listener);

function tell() {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify({ states: states.slice(-60), at: at - Math.max(states.length - 60, 0) }));
  } catch { /* no room or not allowed: the page works without */ }
  listeners.forEach((listener) => listener(now()));
}

// Begin, with the states of the last visit where the model is still offered.
export function begin(models) {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEPT));
    if (kept.states.every((one) => models.includes(one.model)) && kept.states[kept.at]) ({ states, at } = kept);
  } catch { /* nothing was kept */ }
  if (!states.length) { states = [first(models[0])]; at = 0; }
  tell();
}

// A new state after the present one; what was ahead of it is given up.
export function change(changes) {
  states = [...states.slice(0, at + 1), { ...now(), ...changes }].slice(-MOST);
  at = states.length - 1;
  tell();
}

export function restart(model) { change(first(model)); }
export function back() { if (canBack()) { at -= 1; tell(); } }
export function forward() { if (canForward()) { at += 1; tell(); } }

export function scriptOf(source, operations) {
  return { format: "semanticgan-edit", format_version: 1, model: "", paste: "auto", source, operations };
}

const chosen = (choices) => choices.filter((choice) => choice !== null);

// The whole edit; with edits given, those in place of the present ones.
export function script(edits = now().edits) {
  const { source, choices } = now();
  return scriptOf(source, [...chosen(choices), ...edits]);
}

// What a step begins with, and what comes after its own operation.
export function around(step) {
  const { source, choices, edits } = now();
  return {
    script: source && scriptOf(source, chosen(choices.slice(0, step))),
    then: [...chosen(choices.slice(step + 1)), ...edits.filter((one) => !("place" in one))],
  };
}

export const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
