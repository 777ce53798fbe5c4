"""The latent code of a photograph: faces found and aligned, codes encoded and optimised, edits pasted back."""
