"""Networks that others publish, where they are installed, and what the originals put out.

face-api's converted file is looked for at $SEMANTICGAN_TEST_FACE_API, else in its usual place.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from semanticgan import extras
from semanticgan.perception.face_api import usual_place
from tests.networks.fixtures import FOLDER

OUTPUTS = FOLDER / "perception"
FACE_API = Path(os.environ.get("SEMANTICGAN_TEST_FACE_API") or usual_place())

needs_outputs = pytest.mark.skipif(not OUTPUTS.is_dir(), reason=f"the originals' outputs are not at {OUTPUTS}")
needs_lite0 = pytest.mark.skipif(extras.problem("lite0") is not None, reason="semanticgan[perception] is not installed")
needs_face_api = pytest.mark.skipif(not FACE_API.is_file(), reason=f"face-api's weights are not at {FACE_API}")


@lru_cache(maxsize=8)
def outputs(name: str) -> dict[str, np.ndarray]:
    """One .npz of the originals' outputs."""
    with np.load(OUTPUTS / f"{name}.npz", allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


def images(pictures: np.ndarray) -> Tensor:
    """uint8 [N, H, W, 3] -> float32 [N, 3, H, W] in [-1, 1]."""
    return torch.from_numpy(pictures).movedim(-1, 1).float() / 127.5 - 1
