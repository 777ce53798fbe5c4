"""Locality: closed forms for edits made of arrays, and models that are local, or not at all, by construction."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image
from torch import Tensor

from semanticgan.editing.compositing import feather, region_mask
from semanticgan.editing.regions import edit as edit_code
from semanticgan.errors import InputError
from semanticgan.latents import LatentCode
from semanticgan.metrics.evaluation import Evaluation
from semanticgan.metrics.locality import Locality, locality_score, measure_edit, measure_locality, swaps_of
from semanticgan.metrics.locality_plot import draw_localities
from semanticgan.perception.masked import mean_absolute_difference
from semanticgan.regions import RegionScheme
from semanticgan.rendering import Rendering
from tests.editing.conftest import StripedModel

SIDE, K = 64, 5  # the fifth region is nowhere


def quarters() -> Tensor:
    """Label map uint8 [1, S, S] of four squares."""
    halves = (torch.arange(SIDE) >= SIDE // 2).to(torch.uint8)
    return (2 * halves[:, None] + halves)[None]


def grey(level: int = 100) -> Tensor:
    return torch.full((1, 3, SIDE, SIDE), level, dtype=torch.uint8)


def place_of(region: int) -> Tensor:
    return feather(region_mask(quarters(), (region,))) > 0


REGIONS = RegionScheme(tuple("abcde"))


def drawn(picture: Tensor, labels: Tensor) -> Rendering:
    """A rendering that is this picture with these labels."""
    segmentation = torch.nn.functional.one_hot(labels.long(), K).movedim(3, 1).float()
    return Rendering(picture.float() / 127.5 - 1, segmentation, segmentation, segmentation)


class Drawing:
    """A model that shows the same, whatever the code."""

    regions = REGIONS

    def __init__(self, shown: Rendering) -> None:
        self.shown = shown

    def render(self, code: LatentCode, **_: Any) -> Rendering:
        return self.shown


def edit(after: Tensor, labels_after: Tensor | None = None, region: int = 1) -> Any:
    labels = quarters()
    model: Any = Drawing(drawn(after, labels if labels_after is None else labels_after))
    code = LatentCode(torch.zeros(1, 1 + 2 * K, 4), REGIONS)
    edited = edit_code(model, code, code, [REGIONS.names[region]], before=drawn(grey(), labels))
    return measure_edit(edited, region, K, mean_absolute_difference)


def test_an_edit_that_touches_only_its_region() -> None:
    after = torch.where(place_of(1)[:, None], 130, grey())
    measured = edit(after)
    assert measured.change.outside.item() == 0 and measured.change.inside.item() == 30
    assert measured.share_outside.item() == 0 and measured.perceptual_outside.item() == 0
    np.testing.assert_array_equal(measured.by_region[0], [0, 30, 0, 0, np.nan])
    assert measured.masks.iou[0, :4].tolist() == [1, 1, 1, 1]
    assert locality_score(30.0, 0.0) == 0


def test_an_edit_that_touches_everything() -> None:
    measured = edit(grey(120))
    assert measured.change.outside.item() == measured.change.inside.item() == 20
    assert locality_score(measured.change.inside.item(), measured.change.outside.item()) == 1
    assert measured.share_outside.item() == 1
    share = (~place_of(1)).double().mean().item()
    assert measured.perceptual_outside.item() == pytest.approx(20 * share, rel=1e-5)
    np.testing.assert_array_equal(measured.by_region[0], [20, 20, 20, 20, np.nan])


def test_scores() -> None:
    assert locality_score(20.0, 5.0) == 0.25
    assert locality_score(5.0, 20.0) == 1
    assert locality_score(0.0, 20.0) is None and locality_score(None, None) is None


def test_by_region_adds_up_to_what_lies_outside() -> None:
    torch.manual_seed(0)
    after = torch.randint(0, 256, (1, 3, SIDE, SIDE), dtype=torch.uint8)
    measured = edit(after)
    outside = ~place_of(1)[0]
    counts = torch.tensor([int((outside & (quarters()[0] == k)).sum()) for k in (0, 2, 3)]).double()
    total = (measured.by_region[0, [0, 2, 3]] * counts).sum() / counts.sum()
    assert total.item() == pytest.approx(measured.change.outside.item(), rel=1e-12)
    plain = np.abs(after[0].numpy().astype(float) - 100).mean(0)[outside.numpy()].mean()
    assert measured.change.outside.item() == pytest.approx(plain, rel=1e-12)


def test_small_changes_are_not_counted_and_large_ones_are() -> None:
    after = grey()
    after[:, :, 40:44, :8] = 104  # in region 2, far from region 1
    assert edit(after).share_outside.item() == 0
    after[:, :, 40:44, :8] = 105
    assert edit(after).share_outside.item() == pytest.approx(32 / int((~place_of(1)).sum()))


def test_masks_of_other_regions() -> None:
    moved = quarters()
    moved[:, 32:, 16:32] = 3  # half of region 2 becomes region 3
    assert edit(grey(), moved).masks.iou[0, :4].tolist() == [1, 1, 0.5, 2 / 3]


def test_a_region_that_is_not_there() -> None:
    measured = edit(grey(110), region=4)
    assert not measured.change.seen.item()
    assert measured.change.outside.item() == 10


class LeakyModel(StripedModel):
    """The hair's texture shows everywhere."""

    def render(self, code: LatentCode, **_: Any) -> Rendering:
        rendering = super().render(code)
        colour = code.texture("hair")[:, :, None, None]
        return Rendering(
            colour.expand_as(rendering.image), rendering.segmentation, rendering.coarse_segmentation, rendering.depth
        )


def measured(model: Any, **options: Any) -> Locality:
    return measure_locality(Evaluation(model, 5, **options))


def test_a_model_that_is_local() -> None:
    result = measured(StripedModel(), distance=mean_absolute_difference)
    textures = result.of("texture")
    assert [edit.score for edit in textures] == [0, 0, 0, 0]
    assert all(edit.num_images == 5 and edit.iou_others == 1 and edit.change_inside for edit in textures)
    assert all(edit.perceptual_outside == 0 and edit.change_unseen is None for edit in textures)
    hair = result.of("structure")[3]
    assert hair.region == "hair" and hair.score == 0
    assert hair.iou_others is not None and hair.iou_others < 1  # the background gives way
    assert [edit.score for edit in result.of("structure")[:3]] == [None] * 3  # no structure but the hair's is read
    matrix = result.matrix("texture")
    assert matrix.shape == (4, 4) and (np.diagonal(matrix) > 0).all()
    assert np.array_equal(matrix - np.diag(np.diagonal(matrix)), np.zeros((4, 4)))


def test_a_model_that_leaks() -> None:
    model: Any = LeakyModel()
    (hair,) = measured(model, regions=["hair"]).of("texture")
    assert hair.score == pytest.approx(1, abs=1e-12)
    assert hair.share_outside == 1
    (face,) = measured(model, regions=["face"]).of("texture")
    assert face.score is None and face.change_inside == 0


def test_batches_and_json() -> None:
    figures = [measured(StripedModel(), batch_size=size).to_dict() for size in (1, 2, 5)]
    assert figures[0] == figures[1] == figures[2]
    text = json.dumps(figures[0], allow_nan=False)
    assert json.loads(text)["texture"]["hair"]["by_region"]["face"] == 0
    assert figures[0]["mean_score"] == {"structure": 0.0, "texture": 0.0}


def test_wrong_arguments() -> None:
    with pytest.raises(InputError, match="Did you mean 'hair'"):
        measured(StripedModel(), regions=["hare"])
    model: Any = StripedModel()
    with pytest.raises(InputError, match="at least one seed"):
        Evaluation(model, 0)


def test_edits_of_the_verb_are_those_of_the_metric() -> None:
    """Also of several regions at once, and of one code that stands for the pictures of all seeds."""
    model: Any = StripedModel()
    found = measured(model, regions=["hair"]).of("texture")[0]
    ((_, alone),) = swaps_of(model, [range(5)], [(["hair"], "texture")])
    assert found.change_inside == pytest.approx(alone.change().inside.mean().item(), rel=1e-12)
    both = list(swaps_of(model, [[0, 1], [2]], [(["hair", "face"], "both"), (["eye"], "structure")]))
    assert [(place, len(edited), edited.regions) for place, edited in both] == [
        *((0, 2, ("hair", "face")), (1, 2, ("eye",)), (0, 1, ("hair", "face")), (1, 1, ("eye",)))
    ]
    own = model.sample(seed=7)
    ((_, other),) = swaps_of(model, [range(3)], [(["hair"], "both")], source=own, offset=50)
    assert torch.equal(other.source_pictures()[2], model.render(own).to_uint8()[0])
    assert torch.equal(other.code.texture("hair"), model.sample(seeds=[50, 51, 52]).texture("hair"))


def test_plot_is_darkest_where_most_changes() -> None:
    result = measured(StripedModel())
    figure = draw_localities(result)
    axes = figure.axes[1]  # of texture
    matrix = result.matrix("texture")
    darkest = int(np.diagonal(matrix).argmax())
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = np.asarray(Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("L")).astype(int)
    corners = np.empty((4, 4), dtype=int)
    for row, column in np.ndindex(4, 4):  # near a cell's upper left corner, where no number and no frame is
        x, y = axes.transData.transform((column - 0.4, row - 0.35))
        corners[row, column] = picture[picture.shape[0] - 1 - round(y), round(x)]
    assert corners[darkest, darkest] == corners.min() < 130
    assert (corners[~np.eye(4, dtype=bool)] > 245).all()
    told = {text.get_text() for text in axes.texts}
    assert {f"{result.of('texture')[0].score:.3f}", "score", f"{matrix[darkest, darkest]:.1f}"} <= told
