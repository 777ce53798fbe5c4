"""Changes of a latent code that move one attribute: found, stored, applied, by rows."""
