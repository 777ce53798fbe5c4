"""The same render by other runtimes, timed in turns with PyTorch as it is: compiled, onnxruntime, a CUDA graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from semanticgan import extras
from semanticgan.benchmark.clock import now
from semanticgan.benchmark.inference import reduced_precision
from semanticgan.choices import RUNTIMES
from semanticgan.errors import InputError, unknown_name
from semanticgan.export.onnx_files import generator_graph
from semanticgan.networks.generator import Generator

EAGER = "eager"

Render = Callable[[Tensor], Tensor]
"""Latents [N, R, D] -> image [N, 3, S, S]."""


@dataclass(frozen=True)
class RuntimeSpeed:
    """A render of one batch.

    Attributes:
        runtime: "eager" or one of ``RUNTIMES``.
        precision: "float32" or "bfloat16".
        milliseconds: per image, the shortest of all turns.
        ratio: eager's milliseconds over these: above 1 is faster.
        error: largest difference from eager's picture, of its root mean square.
    """

    runtime: str
    precision: str
    milliseconds: float
    ratio: float
    error: float


@torch.no_grad()
def measure_runtimes(
    generator: Generator, batch: int, precision: str, device: torch.device, repeats: int, runtimes: Sequence[str]
) -> list[RuntimeSpeed]:
    """Time latents -> picture; onnx leaves the segmentation out. The runtimes take turns, so all are disturbed alike.

    Raises:
        InputError: an unknown runtime, or one that this device or precision has not.
    """
    require_runtimes(runtimes, [precision], device)
    draws = torch.Generator().manual_seed(0)
    w = generator.map(torch.randn(batch, generator.latent_dim, generator=draws).to(device))
    latents = w[:, None].expand(-1, generator.config.num_rows, -1).contiguous()
    with reduced_precision(device, precision):
        renders: dict[str, Render] = {EAGER: lambda given: generator(given).image}
        renders |= {name: _MAKE[name](generator, latents) for name in runtimes}
        pictures = {name: render(latents) for name, render in renders.items()}  # compiles
        best = dict.fromkeys(renders, math.inf)
        for _ in range(repeats):
            for name, render in renders.items():
                start = now(device)
                render(latents)
                best[name] = min(best[name], now(device) - start)
    expected = pictures[EAGER].float()
    scale = expected.square().mean().sqrt()
    return [
        RuntimeSpeed(
            name,
            precision,
            1e3 * seconds / batch,
            best[EAGER] / seconds,
            float((pictures[name].float() - expected).abs().max() / scale),
        )
        for name, seconds in best.items()
    ]


def require_runtimes(runtimes: Sequence[str], precisions: Sequence[str], device: torch.device) -> None:
    """Raises: InputError: an unknown runtime, or one that this device or precision has not."""
    for name in runtimes:
        if name not in RUNTIMES:
            raise unknown_name("runtime", name, RUNTIMES)
        if name == "cuda-graph" and device.type != "cuda":
            raise InputError(
                f"a CUDA graph needs --device cuda, not {device.type}. Leave cuda-graph out of --runtimes."
            )
        if name == "onnx":
            extras.require("onnx")
            if list(precisions) != ["float32"] or device.type != "cpu":
                raise InputError(
                    f"onnx is measured on the CPU in float32, not on {device.type} in {', '.join(precisions)}. "
                    "Give --device cpu --precision float32, or leave onnx out of --runtimes."
                )


def _compiled(generator: Generator, latents: Tensor) -> Render:
    compiled = torch.compile(generator, fullgraph=True, dynamic=False)
    return lambda latents: compiled(latents).image


def _onnx(generator: Generator, latents: Tensor) -> Render:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    graph = generator_graph(generator, with_segmentation=False).SerializeToString()
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return lambda latents: torch.from_numpy(session.run(["image"], {"latents": latents.numpy()})[0])


def _cuda_graph(generator: Generator, latents: Tensor) -> Render:
    given = latents.clone()
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # what is made on the first call is made before the capture
        for _ in range(3):
            generator(given)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        image: Tensor = generator(given).image

    def render(latents: Tensor) -> Tensor:
        given.copy_(latents)
        graph.replay()
        return image

    return render


_MAKE: dict[str, Callable[[Generator, Tensor], Render]] = {
    "compile": _compiled,
    "onnx": _onnx,
    "cuda-graph": _cuda_graph,
}
