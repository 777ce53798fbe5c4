// The state of the page and the history of all states, kept for a reload.
//
// source    { seed, truncation } of the face; null before one is chosen
// choices   the operation of each step, by its place; null where none is chosen (always for the first)
// shuffles  of each step
// view      the step that is shown, from 0 on

const MOST = 200;

let key = "";
let states = [];
let at = 0;
let tell = () => {};

export const now = () => states[at];
export const canBack = () => at > 0;
export const canForward = () => at < states.length - 1;
export const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

function moved() {
  try { sessionStorage.setItem(key, JSON.stringify({ states, at })); } catch { /* the page works without */ }
  tell(now());
}

// Begin with the states of the last visit where they are of this name, a text; listener(state) hears every change.
export function begin(name, numSteps, listener) {
  key = `semanticgan-static ${name}`;
  tell = listener;
  const none = Array(numSteps).fill(null);
  states = [{ view: 0, source: null, choices: none, shuffles: none.map(() => 0) }];
  try {
    const kept = JSON.parse(sessionStorage.getItem(key));
    if (kept.states[kept.at].choices.length === numSteps) ({ states, at } = kept);
  } catch { /* nothing was kept */ }
  moved();
}

// A new state after the present one; what was ahead of it is given up.
export function change(changes) {
  states = [...states.slice(0, at + 1), { ...now(), ...changes }].slice(-MOST);
  at = states.length - 1;
  moved();
}

export function back() { if (canBack()) { at -= 1; moved(); } }
export function forward() { if (canForward()) { at += 1; moved(); } }

// An edit script as `edit-region --script` replays it.
export const scriptOf = (source, choices) => (
  { format: "semanticgan-edit", format_version: 1, model: "", paste: "auto", source, operations: choices.filter(Boolean) });

export const script = () => scriptOf(now().source, now().choices);

// The script in which the present choice of a step is replaced by another.
export function scriptWith(step, choice) {
  const { source, choices } = now();
  return step ? scriptOf(source, choices.map((old, index) => (index === step ? choice : old))) : scriptOf(choice, choices);
}
