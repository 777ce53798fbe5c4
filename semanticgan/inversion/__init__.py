"""A photograph's way into a model and back: aligned, encoded or optimised, tuned, pasted."""
