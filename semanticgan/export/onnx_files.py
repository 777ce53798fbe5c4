"""A model as two ONNX graphs: the mapping z -> w, and the generator, latent code -> picture and segmentation.

The graphs hold the formulas of ``networks/`` without their fast routes; a runtime brings its own. Noise is that stored
with the weights.

Shape legend: N images, R rows of a latent code, K regions, D style width, S side of the picture.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from semanticgan import extras
from semanticgan.errors import InputError
from semanticgan.files import require_free, user_path, written_aside
from semanticgan.model import Model
from semanticgan.networks.latent_generator import LatentGenerator

MOST_IMAGES = 16
"""Largest N that a graph takes; the smallest is 1."""
OPSET = 18
SUFFIX = ".onnx"


def mapping_file(path: str | Path) -> Path:
    """The file of the mapping beside that of the generator: ``faces.onnx`` -> ``faces-mapping.onnx``."""
    path = Path(path)
    return path.with_stem(f"{path.stem}-mapping")


def require_exportable(path: str | Path, overwrite: bool = False) -> tuple[Path, Path]:
    """The paths of generator and mapping, checked before a model is opened.

    Raises:
        InputError: another suffix, a missing package, an existing file, or one that cannot be written.
    """
    path = user_path(path, "output")
    if path.suffix.lower() != SUFFIX:
        raise InputError(f"output {str(path)!r} has the suffix {path.suffix!r}. Give a name in {SUFFIX}.")
    for target in (path, mapping_file(path)):
        require_free(target, overwrite)
    extras.require("onnx")
    return path, mapping_file(path)


def export_onnx(model: Model, path: str | Path, overwrite: bool = False) -> tuple[Path, Path]:
    """Write a model as two ONNX files, for N = 1 to 16 images, float32.

    | file | input | outputs |
    |---|---|---|
    | ``path`` | "latents" [N, R, D] | "image" [N, 3, S, S], "segmentation" [N, K, S, S] of a model of regions |
    | :func:`mapping_file` | "z" [N, D] | "w" [N, D] |

    A code is w in each of its R rows. The generator's file stores, as JSON texts in its metadata, the names of rows and
    regions, w-bar, and the model's description and licences.

    Args:
        model: as ``load`` returns it.
        path: of the generator, a name in .onnx.
        overwrite: replace existing files.

    Returns:
        The paths of generator and mapping.

    Raises:
        InputError: as :func:`require_exportable`.
    """
    path, second = require_exportable(path, overwrite)
    generator = model.generator
    z = torch.zeros(2, generator.latent_dim, device=model.device)
    graphs = (
        (path, generator_graph(generator, with_segmentation=model.rows.regions is not None)),
        (second, _graph(_Mapping(generator), "z", z, ["w"])),
    )
    for target, graph in graphs:
        _save(graph, target, _metadata(model), overwrite)
    return path, second


def generator_graph(generator: LatentGenerator, with_segmentation: bool) -> Any:
    """A generator as an ``onnx.ModelProto``, "latents" [N, R, D] -> "image", and "segmentation" where it is wanted."""
    config = generator.config
    latents = torch.zeros(2, config.num_rows, config.style_dim, device=generator.mean_latent.device)
    outputs = ["image", "segmentation"][: 2 if with_segmentation else 1]
    return _graph(_Generator(generator, len(outputs)), "latents", latents, outputs)


class _Generator(nn.Module):
    """Latents [N, R, D] -> image [N, 3, S, S], and segmentation [N, K, S, S] where two outputs are wanted."""

    def __init__(self, generator: LatentGenerator, num_outputs: int) -> None:
        super().__init__()
        self.generator, self.num_outputs = generator, num_outputs

    def forward(self, latents: Tensor) -> tuple[Tensor, ...]:
        rendering = self.generator(latents, noise="fixed")
        return (rendering.image, rendering.segmentation)[: self.num_outputs]


class _Mapping(nn.Module):
    """z [N, D] -> w [N, D]."""

    def __init__(self, generator: LatentGenerator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, z: Tensor) -> Tensor:
        return self.generator.map(z)


def _graph(network: nn.Module, name: str, example: Tensor, outputs: Sequence[str]) -> Any:
    """The network as an ``onnx.ModelProto`` whose first axes are free."""
    images = torch.export.Dim("images", min=1, max=MOST_IMAGES)
    # Where gradients are recorded the layers compute their formulas: nothing in place, no routes of a CPU's speed.
    with _quiet(), torch.enable_grad():
        program = torch.onnx.export(
            network.eval(),
            (example,),
            input_names=[name],
            output_names=list(outputs),
            dynamic_shapes={name: {0: images}},
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Within the block the exporter writes nothing to stdout and says nothing of its own versions and passes."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _metadata(model: Model) -> dict[str, str]:
    """What a program beside the graph needs, each a JSON text."""
    regions, about = model.rows.regions, model.metadata
    facts = {
        "description": about.description,
        "licence": about.licence,
        "data_licence": about.data_licence,
        "rows": list(model.rows.names),
        "regions": [] if regions is None else list(regions.names),
        "mean_latent": model.generator.mean_latent.tolist(),
    }
    return {name: json.dumps(value) for name, value in facts.items()}


def _save(graph: Any, path: Path, metadata: dict[str, str], overwrite: bool) -> None:
    import onnx

    onnx.helper.set_model_props(graph, metadata)
    with written_aside(path, overwrite) as aside:
        onnx.save_model(graph, str(aside))
