// Operations of an edit, as the lists that the editor makes of them. All are those of an edit script.

import { confined, partsOf } from "./parts.js";
import * as state from "./state.js";

export const isMix = (one) => "source" in one;
export const sameParts = (one, names) => state.same([...partsOf(one)].sort(), [...names].sort());
export const mixOf = (edits, names, what) => edits.find((one) => isMix(one) && sameParts(one, names) && one.what === what);
export const sameMix = (one, other) => isMix(one) && state.same({ ...one, weight: 1 }, { ...other, weight: 1 });

// A choice for regions or layers replaces an earlier one for the same.
export function withMix(edits, operation) {
  const old = mixOf(edits, partsOf(operation), operation.what);
  return [...edits.filter((one) => one !== old), { ...operation, weight: old?.weight ?? operation.weight }];
}

export function withWeight(edits, mix, weight) {
  return edits.map((one) => (one === mix ? { ...one, weight } : one));
}

// The regions or layers that an attribute moves: those that are not locked, and "base" where nothing is.
export function movable(direction, locked) {
  const free = direction.regions.filter((name) => !locked.includes(name));
  return direction.moves_base && !locked.length ? [...free, "base"] : free;
}

// An attribute at another strength. What locked regions (and the base rows, which they share) have of it stays.
export function withMove(edits, direction, strength, locked) {
  const { name } = direction;
  const all = [...direction.regions, ...(direction.moves_base ? ["base"] : [])];
  const kept = !locked.length ? [] : edits.filter((one) => one.move === name)
    .map((one) => confined(one, (partsOf(one).length ? partsOf(one) : all).filter((part) => part === "base" || locked.includes(part))))
    .filter((one) => partsOf(one).length);
  const others = edits.filter((one) => one.move !== name);
  if (!strength) return [...others, ...kept];
  const own = direction.direction ? { direction: direction.direction } : {};
  const made = { move: name, strength, regions: [], layers: "", ...own };
  return [...others, ...kept, locked.length ? confined(made, movable(direction, locked)) : made];
}

// The strength at which an attribute is, in what may change.
export function strengthOf(edits, direction, locked) {
  const free = movable(direction, locked);
  const moves = edits.filter((one) => one.move === direction.name);
  return moves.find((one) => !partsOf(one).length || partsOf(one).some((name) => free.includes(name)))?.strength ?? 0;
}

// An edit moves regions in one operation, which comes last.
export function withPlace(edits, regions, values) {
  const others = edits.filter((one) => !("place" in one));
  const still = !values.right && !values.down && values.scale === 1 && !values.rotate;
  const place = { shift: [values.right, values.down], scale: values.scale, rotate: values.rotate };
  return still || !regions.length ? others : [...others, { place, regions }];
}

export const placeLast = (edits) => [...edits.filter((one) => !("place" in one)), ...edits.filter((one) => "place" in one)];
