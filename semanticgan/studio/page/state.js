// The state of the page: one edit, in parts, and the history of all states.
//
// source      where the face comes from, as in an edit script; null before one is chosen
// choices     lists of operations of the four steps, by their place; that of the first step holds locked regions
// edits       the operations of the editor
// locked      names of regions, or of layers ("layer.3"), that nothing changes
// composite   whether pixels outside the edited regions are those of the face without edits
// shuffles    of each step, and of the variations
// view        0 to 3 for a step, 4 for the editor
// photograph  id of the upload that the source was found in, or null

import { confined, mixWith, partsOf } from "./parts.js";

const KEPT = "semanticgan-studio-2";
const MOST = 300;
const MOST_KEPT = [60, 15, 1]; // states in the browser's store: fewer where the codes of photographs fill it

const first = (model) => ({
  model, view: 0, source: null, choices: [[], [], [], []], edits: [], shuffles: [0, 0, 0, 0, 0], photograph: null,
  locked: [], composite: false,
});

let states = [];
let at = 0;
const listeners = [];

export const now = () => states[at];
export const canBack = () => at > 0;
export const canForward = () => at < states.length - 1;
export const listen = (listener) => listeners.push(listener);

function keep() {
  for (const most of MOST_KEPT) {
    const from = Math.max(Math.min(at - Math.floor(most / 2), states.length - most), 0);
    try {
      sessionStorage.setItem(KEPT, JSON.stringify({ states: states.slice(from, from + most), at: at - from }));
      return;
    } catch { /* no room, or not allowed: fewer, or none */ }
  }
}

function tell() {
  keep();
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

// The whole edit; with edits given, those in place of the present ones.
export function script(edits = now().edits) {
  const { source, choices } = now();
  return scriptOf(source, [...choices.flat(), ...edits]);
}

// Operations before those of the editor.
export const numChoices = () => now().choices.flat().length;

// What stays of a step's operations when another choice replaces it: what is locked, as it looks now.
export function held(step) {
  const { source, choices, locked } = now();
  if (!locked.length || !source) return [];
  const kept = choices[step]
    .map((one) => confined(one, partsOf(one).filter((name) => locked.includes(name))))
    .filter((one) => partsOf(one).length || one.include_base);
  if (step) return kept;
  const others = locked.filter((name) => !kept.some((one) => partsOf(one).includes(name)));
  const own = others.length ? [mixWith(source, others)] : [];
  return [...own, ...kept];
}

// What a step begins with, and what comes after its own operation.
export function around(step) {
  const { source, choices, edits } = now();
  const later = [...choices.slice(step + 1).flat(), ...edits.filter((one) => !("place" in one))];
  return {
    script: source && scriptOf(source, [...choices.slice(0, step).flat(), ...held(step)]),
    then: step ? later : [...held(0), ...later],
  };
}

export const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
