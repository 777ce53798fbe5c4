"""The systems that SemanticStyleGAN grew from: networks only, one file a system, made of ``networks/layers.py``."""
