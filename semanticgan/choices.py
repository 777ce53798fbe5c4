"""Values that rooms offer as a choice and the command line names in its help; importing them imports nothing.

The rooms that offer them import PyTorch, which takes longer than all of `--help`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

PRECISIONS = ("float32", "bfloat16")
"""What a network computes in."""

DATA_KINDS = ("folder", "lmdb", "celebamask-hq", "portraits", "pictures")
"""Kinds of data, by their source."""

SPLITS: Mapping[str, range] = MappingProxyType({"train": range(28000), "val": range(28000, 30000), "all": range(30000)})
"""Part of CelebAMask-HQ -> numbers of its pictures."""

PREPARED_FORMATS = ("folder", "lmdb")
"""How a prepared training set is stored."""

PICTURE_FORMATS = ("png", "jpeg")
"""How its pictures are."""

LARGEST_PNG = 256
"""Side up to which an LMDB holds PNG unless asked otherwise: 30,000 photographs of 512 pixels would take 11 GB."""

MAX_MEGAPIXELS = 64.0
"""Largest picture that is read unless asked otherwise; decoded it takes about half a gigabyte."""

DIRECTION_METHODS = ("interfacegan", "means", "sefa", "pca")
"""How directions are found."""

FITTED_METHODS = ("interfacegan", "means")
"""Those that need attributes."""

SWAP_OFFSET = 10_000
"""Where locality is measured, a region is taken from the picture of the seed this much further."""

SAMPLINGS = ("independent", "plain")
"""How codes that directions are fitted on are drawn."""

RUNTIMES = ("compile", "onnx", "cuda-graph")
"""What runs a generator besides PyTorch as it is."""
