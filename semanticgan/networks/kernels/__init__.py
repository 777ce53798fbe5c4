"""Fast routes: each gives what the formula in the layer that calls it gives, and a test compares the two."""
