"""A segmentation follows a painting; textures and other rows stay."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import semanticgan as sg
from semanticgan.directions.painting import PaintingSettings, paint
from semanticgan.errors import Cancelled, InputError
from semanticgan.latents import LatentCode
from semanticgan.model import Model
from semanticgan.progress import Progress


@pytest.fixture(scope="module")
def model(tiny_model_file: Path) -> Model:
    return sg.load(tiny_model_file, device="cpu")


@pytest.fixture(scope="module")
def code(model: Model) -> LatentCode:
    return model.sample(seed=1)


@pytest.fixture
def painting(model: Model, code: LatentCode) -> Tensor:
    """Of one square more of the eyes."""
    labels = model.render(code).labels()[0]
    labels[10:20, 10:20] = model.regions.index("eye")
    return labels


SHORT = PaintingSettings(steps=3)


def moved_rows(found: LatentCode, code: LatentCode) -> set[int]:
    return set((found.tensor != code.tensor).any(-1)[0].nonzero().flatten().tolist())


def test_only_structure_of_the_painted_regions_moves(model: Model, code: LatentCode, painting: Tensor) -> None:
    found = paint(model, code, painting, "eye", settings=SHORT)
    assert moved_rows(found.code, code) <= set(model.rows.indices("eye", "structure"))
    assert found.regions == ("eye",) and set(found.iou) == {"eye"}


def test_the_labels_of_another_code_are_followed(model: Model, code: LatentCode) -> None:
    labels = model.render(model.sample(seed=2)).labels()[0]
    found = paint(model, code, labels, free_base=True, settings=PaintingSettings(steps=15))
    assert found.mean_iou > np.mean(list(found.iou_before.values()))
    assert moved_rows(found.code, code) == set(model.rows.indices(found.regions, "structure", include_base=True))


def test_a_code_that_no_step_brings_closer_stays(model: Model, code: LatentCode, painting: Tensor) -> None:
    found = paint(model, code, painting, settings=PaintingSettings(steps=2, segmentation=0.0, masks=0.0, kept=0.0))
    assert found.mean_iou >= np.mean(list(found.iou_before.values()))
    assert found.code == code and found.change_outside == 0.0


def test_regions_that_the_painting_changes(model: Model, code: LatentCode, painting: Tensor) -> None:
    before = model.render(code).labels()[0]
    found = paint(model, code, painting.long().numpy(), settings=SHORT)
    changed = set(before[before != painting].tolist()) | {model.regions.index("eye")}
    assert {model.regions.index(name) for name in found.regions} == changed


def test_figures_are_those_of_the_rendering(model: Model, code: LatentCode, painting: Tensor) -> None:
    found = paint(model, code, painting, settings=SHORT)
    label = model.regions.index("eye")
    after, wanted = model.render(found.code).labels()[0] == label, painting == label
    assert found.iou["eye"] == pytest.approx(float((after & wanted).sum() / (after | wanted).sum()))
    assert found.mean_iou == pytest.approx(np.mean(list(found.iou.values())))


def test_progress_and_cancel(model: Model, code: LatentCode, painting: Tensor) -> None:
    told: list[tuple[int, int | None]] = []
    paint(
        model,
        code,
        painting,
        settings=SHORT,
        progress=Progress(report=lambda done, total, _: told.append((done, total))),
    )
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        paint(model, code, painting, settings=SHORT, progress=Progress(cancel=cancel))


def test_wrong_paintings(model: Model, code: LatentCode, painting: Tensor) -> None:
    same = model.render(code).labels()[0]
    wrong = {
        "nothing changes": same,
        r"\[32, 32\], got \[16, 16\]": painting[:16, :16],
        "labels 77": torch.where(painting == painting[0, 0], 77, painting.long()),
        "float32": painting.float(),
        "whole numbers": "painting.png",
    }
    for words, given in wrong.items():
        with pytest.raises(InputError, match=words) as caught:
            paint(model, code, given, settings=SHORT)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="unknown region"):
        paint(model, code, painting, "tail")
    with pytest.raises(InputError, match="one picture"):
        paint(model, model.sample(n=2), painting)


def test_the_bundled_model_follows_a_larger_mouth() -> None:
    model = sg.load("portraits-64", device="cpu")
    code, label = model.sample(seed=3), model.regions.index("mouth")
    labels = model.render(code).labels()[0]
    rows, columns = (labels == label).nonzero().T
    painting = labels.clone()
    painting[rows.min() : rows.max() + 2, columns.min() - 1 : columns.max() + 2] = label
    found = paint(model, code, painting, "mouth", settings=PaintingSettings(steps=30))
    assert found.iou["mouth"] > found.iou_before["mouth"] + 0.1
    assert found.change_outside < 1.0
