"""SeFa: directions from the weights alone, without pictures or labels (Shen and Zhou 2021, arXiv 2007.06600).

A layer reads a row w as its style s = A w + a. A step d v of the row changes the style by d A v. With every row of all
A [out, D] of a group divided by its own norm and put into one matrix B::

    B^T B v = lambda v,    |v| = 1

The eigenvectors of the largest lambda are the steps that change the styles most. The reference normalises the columns
of A^T, which are these rows. It takes eigenvectors in the order that its unsymmetric solver returns them, which is not
that of the eigenvalues; here they are sorted.

Which weights read which row of a code:

===================  ===============================  ===================================================
model                rows                             weights
===================  ===============================  ===================================================
of regions           structure, texture, base rows    styles of the local generators' layers that read it
StyleGAN, StyleALAE  layer.l                          AdaIN's affine map of layer l, both halves
StyleGAN2            layer.l                          the style of convolution l
PGGAN                layer.0                          the first dense layer
===================  ===============================  ===================================================

The last row of a StyleGAN2 is read by the last ToRGB; other ToRGBs are left out.

Shape legend: R rows of a code, D style width, n directions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from semanticgan.directions.vectors import NUM_SAMPLES, sample_w, spread, with_signs
from semanticgan.errors import InputError
from semanticgan.model import Model
from semanticgan.networks.comparison.alae import ALAEGenerator
from semanticgan.networks.comparison.layered import LayeredGenerator
from semanticgan.networks.comparison.pggan import PGGANGenerator
from semanticgan.networks.comparison.stylegan import StyleGANGenerator
from semanticgan.networks.comparison.stylegan2 import StyleGAN2Generator
from semanticgan.networks.generator import Generator
from semanticgan.networks.local import StackedModulatedLinear
from semanticgan.rows import Layers, Regions
from semanticgan.wrong_arguments import require_dense, require_type, shown, whole_number


@dataclass(frozen=True, eq=False)
class Factorisation:
    """Directions of one group of rows.

    Attributes:
        name: of the group: "hair.texture", or "layer.0 to layer.3".
        rows: numbers of the rows that a direction is added to.
        values: eigenvalues, falling, [n].
        directions: unit vectors in the same order, [n, D].
        deviations: standard deviation of mapped codes w along each direction, [n]. A distance of 3 deviations is
            about as far as w goes.
    """

    name: str
    rows: tuple[int, ...]
    values: Tensor
    directions: Tensor
    deviations: Tensor


def factorise(weights: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """The directions that change styles most.

    Args:
        weights: style matrices A [out, D] without bias, one per layer; out may differ. Factors of whole matrices or
            rows do not matter.

    Returns:
        Eigenvalues [n], falling, and unit eigenvectors [n, D] with n = D, in the type of the first matrix. The element
        of the largest magnitude of each vector is positive.

    Raises:
        InputError: no matrix, or matrices of different widths or with numbers that are not finite.
    """
    matrices = _matrices(weights)
    rows = torch.cat([matrix.detach().double().cpu() for matrix in matrices])
    norms = rows.norm(dim=1, keepdim=True)
    rows = torch.where(norms > 0, rows / norms, 0.0)  # a row of zeros changes no style
    values, vectors = torch.linalg.eigh(rows.T @ rows)  # ascending, vectors as columns
    like = matrices[0]
    return values.flip(0).clamp(min=0.0).to(like), with_signs(vectors.T.flip(0)).to(like)


def of_model(
    model: Model,
    regions: Regions | None = None,
    layers: Layers | None = None,
    *,
    what: str = "both",
    include_base: bool = False,
    num_directions: int | None = None,
    num_samples: int = NUM_SAMPLES,
    seed: int = 0,
) -> dict[str, Factorisation]:
    """Factorise the style weights of a model.

    Args:
        model: of regions or of layers.
        regions: names or aliases; None is all. Each region's structure row and texture row are factorised apart.
        layers: of a layered model, factorised together: ``"0-3"``; None is all in use.
        what: "structure", "texture" or "both" of these regions.
        include_base: also each base row, by the layers of all regions that read it.
        num_directions: only the first; None is all.
        num_samples: mapped codes that the deviations are measured from.
        seed: of these.

    Returns:
        One entry per row for a model of regions ("hair.structure", "hair.texture"), one in all for a layered model. A
        row that no layer reads has no entry.

    Raises:
        InputError: an unknown region, layer or ``what``, regions of a layered model, or layers of a model of regions.
    """
    require_type("model", model, Model, "a Model, such as sg.load()")
    width = model.config.style_dim
    count = width if num_directions is None else whole_number("num_directions", num_directions, 1, width)
    if model.rows.regions is None:
        in_use = model.generator.config.num_rows - 2 * math.floor(getattr(model.generator, "level", 0))
        chosen = model.rows.indices(regions, what, include_base, range(max(in_use, 1)) if layers is None else layers)
        groups = [chosen]
    else:
        regions = model.rows.regions.names if regions is None else regions
        groups = [[row] for row in model.rows.indices(regions, what, include_base, layers)]
    weights, samples = style_weights(model), sample_w(model, num_samples, seed)
    found: dict[str, Factorisation] = {}
    for rows in groups:
        readers = [weight for row in rows for weight in weights[row]]
        if readers:
            values, directions = (part[:count] for part in factorise(readers))
            first, last = model.rows.names[rows[0]], model.rows.names[rows[-1]]
            name = first if len(rows) == 1 else f"{first} to {last}"
            deviations = spread(directions, samples.to(directions))
            found[name] = Factorisation(name, tuple(rows), values, directions, deviations)
    return found


def style_weights(model: Model) -> list[list[Tensor]]:
    """Of each row of a code, the style weights [out, D] of the layers that read it, coarse to fine.

    Raises:
        InputError: a generator of another kind.
    """
    generator = model.generator
    if isinstance(generator, Generator):
        return _of_regions(generator, len(model.rows))
    if isinstance(generator, LayeredGenerator):
        return [[weight.detach()] for weight in _of_layers(generator)]
    raise InputError(f"style weights of a {type(generator).__name__} are not known. Use another way of directions.")


def _of_regions(generator: Generator, num_rows: int) -> list[list[Tensor]]:
    """The layers of each region read the rows that the generator's own expansion gives them."""
    numbers = torch.arange(num_rows).to(generator.mean_latent)
    numbered = numbers[None, :, None].expand(1, -1, generator.config.style_dim)
    sources = generator.region_codes(numbered)[0, :, :, 0].long().tolist()  # row that region k, layer l reads
    found: list[list[Tensor]] = [[] for _ in range(num_rows)]
    for region, rows in enumerate(sources):
        for layer, row in zip(generator.local.layers, rows, strict=True):
            assert isinstance(layer, StackedModulatedLinear)
            found[row].append(layer.style_weight[region].detach())
    return found


def _of_layers(generator: LayeredGenerator) -> list[Tensor]:
    """One matrix per row."""
    blocks: Any = generator.blocks
    if isinstance(generator, PGGANGenerator):
        return [blocks[0].dense.weight.flatten(1)]  # [C 16, D]
    if isinstance(generator, StyleGAN2Generator):
        layers = [layer for block in blocks for layer in (block.upsample, block.refine) if layer is not None]
        return [layer.conv.style.weight for layer in [*layers, blocks[-1].to_rgb]]
    if isinstance(generator, StyleGANGenerator):
        return [layer.adain.style.weight for block in blocks for layer in (block.first, block.second)]
    if isinstance(generator, ALAEGenerator):
        return [layer.adain.style.weight for block in blocks for layer in (block.style1, block.style2)]
    raise InputError(f"style weights of a {type(generator).__name__} are not known. Use another way of directions.")


def _matrices(weights: Any) -> list[Tensor]:
    if isinstance(weights, Tensor) or not isinstance(weights, Sequence) or not weights:
        raise InputError(f"style weights are a list of matrices [out, D], at least one, got {shown(weights)}.")
    for weight in weights:
        require_type("a style weight", weight, Tensor, "a torch.Tensor [out, D]")
        require_dense("a style weight", weight, meta=False)
        if weight.ndim != 2 or not weight.numel() or not weight.is_floating_point():
            raise InputError(f"a style weight is a floating matrix [out, D], got {weight.dtype} {list(weight.shape)}.")
        if weight.shape[1] != weights[0].shape[1]:
            raise InputError(
                f"style weights of one code have one width D, got {weights[0].shape[1]} and {weight.shape[1]}."
            )
        if not bool(torch.isfinite(weight).all()):
            raise InputError("a style weight holds numbers that are not finite. Use another model.")
    return list(weights)
