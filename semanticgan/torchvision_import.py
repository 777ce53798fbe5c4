"""torchvision, also where its compiled operators do not load (a CPU build of PyTorch beside another torchvision)."""

from __future__ import annotations

import sys
from types import ModuleType

_NMS = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"

_kept: list[object] = []  # a library of operators lives as long as it is referenced


def import_torchvision() -> ModuleType:
    """Import torchvision; to be called before lpips, torch-fidelity or torchvision itself is imported.

    Without its compiled operators torchvision stops while it registers shapes for two that do not exist. Only then are
    these two declared, for on a working torchvision a second declaration aborts the process. Models, transforms and
    pictures work after that; non-maximum suppression does not. A forked worker inherits this, a spawned one calls it.

    Raises:
        InputError: torchvision is not installed, or cannot be imported for another reason.
    """
    from semanticgan.errors import InputError

    try:
        return _import()
    except ImportError as error:
        raise InputError(f"torchvision cannot be imported ({error}). Install it: pip install torchvision.") from error
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    if not _kept:
        import torch

        library = torch.library.Library("torchvision", "FRAGMENT")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}{_NMS}")
        _kept.append(library)
    return _import()


def _import() -> ModuleType:
    import torchvision

    module: ModuleType = torchvision
    return module
