"""Distance of faces: angles that are known, and facenet-pytorch where it is, is not, or has the wrong weights."""

from __future__ import annotations

import math
import sys
import types
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from semanticgan.errors import InputError, MissingFileError, WeightsError
from semanticgan.perception.identity import FACENET_FILE, facenet_embedding, identity_distance


def colour(*levels: int) -> Tensor:
    return torch.tensor(levels, dtype=torch.uint8)[None, :, None, None].expand(1, 3, 8, 8)


def brightness(pictures: Tensor) -> Tensor:
    return (pictures + 1).mean((2, 3))


def test_angles() -> None:
    red, dark_red, green, yellow = colour(200, 0, 0), colour(50, 0, 0), colour(0, 90, 0), colour(120, 120, 0)
    first, second = torch.cat([red, red, red, red]), torch.cat([red, dark_red, green, yellow])
    distances = identity_distance(first, second, brightness)
    torch.testing.assert_close(
        distances, torch.tensor([0, 0, 1, 1 - math.sqrt(0.5)], dtype=torch.float64), atol=1e-6, rtol=0
    )
    assert identity_distance(colour(255, 255, 255), colour(0, 0, 0), lambda p: p.mean((2, 3))).item() == 2


def test_each_face_is_seen_alone() -> None:
    seen = []

    def embedding(pictures: Tensor) -> Tensor:
        seen.append(len(pictures))
        return brightness(pictures)

    faces = torch.cat([colour(10, 20, 30)] * 3)
    identity_distance(faces, faces, embedding)
    assert seen == [1] * 6


def test_wrong_arguments() -> None:
    with pytest.raises(InputError, match="no direction"):
        identity_distance(colour(0, 0, 0), colour(1, 1, 1), brightness)
    with pytest.raises(InputError, match="1 faces cannot be compared with 2"):
        identity_distance(colour(1, 1, 1), torch.cat([colour(1, 1, 1)] * 2), brightness)
    with pytest.raises(InputError, match="uint8"):
        identity_distance(colour(1, 1, 1).float(), colour(1, 1, 1), brightness)


class FakeInceptionResnet(nn.Module):
    def __init__(self, pretrained: str | None, classify: bool) -> None:
        super().__init__()
        assert pretrained is None and not classify  # or the package would download
        self.last_linear = nn.Linear(3, 4, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        assert x.shape[2:] == (160, 160)
        return self.last_linear(x.mean((2, 3)))


@pytest.fixture
def facenet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A package of that name; where its weights would be."""
    package = types.ModuleType("facenet_pytorch")
    package.InceptionResnetV1 = FakeInceptionResnet  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "facenet_pytorch", package)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints" / FACENET_FILE


def test_facenet_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "facenet_pytorch", None)
    with pytest.raises(InputError, match=r"semanticgan\[align\]"):
        facenet_embedding()


def test_facenet(facenet: Path) -> None:
    with pytest.raises(MissingFileError, match=f"{FACENET_FILE} from its releases"):
        facenet_embedding()
    weights = torch.arange(12.0).view(4, 3) + 1
    torch.save({"last_linear.weight": weights, "logits.weight": torch.zeros(7, 4)}, facenet)
    embedded = facenet_embedding()(torch.ones(1, 3, 32, 32))
    torch.testing.assert_close(embedded, weights.sum(1)[None] * (127.5 / 128))
    white, grey = colour(255, 255, 255), colour(128, 128, 128)
    assert identity_distance(white, grey, facenet_embedding()).item() == pytest.approx(0, abs=1e-6)


def test_facenet_with_other_weights(facenet: Path) -> None:
    torch.save({"something": torch.zeros(1)}, facenet)
    with pytest.raises(WeightsError, match="RuntimeError"):
        facenet_embedding()
    facenet.write_bytes(b"<html>")
    with pytest.raises(WeightsError, match="Download"):
        facenet_embedding(facenet)
