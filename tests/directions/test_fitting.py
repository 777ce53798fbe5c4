"""Directions fitted on labelled codes: the rows that an attribute depends on, and its normal, are found again."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import torch

import semanticgan as sg
from semanticgan.directions.finding import by_attributes
from semanticgan.directions.fitting import fit, row_shares
from semanticgan.directions.labels import INVALID, Attribute, JoinedLabels, Labels, MaskLabels
from semanticgan.directions.scored import ScoredCodes, sample_codes, score_by_table, score_samples
from semanticgan.directions.tables import read_table
from semanticgan.errors import Cancelled, InputError
from semanticgan.latents import LatentCode
from semanticgan.model import Model
from semanticgan.progress import Progress


@pytest.fixture(scope="module")
def model(tiny_model_file: Path) -> Model:
    return sg.load(tiny_model_file, device="cpu")


@pytest.fixture(scope="module")
def scored(model: Model) -> ScoredCodes:
    """600 codes whose "bright" is a known linear function of hair.texture, and "big" of base and eye.structure."""
    tensor = torch.randn(600, len(model.rows), 16, generator=torch.Generator().manual_seed(0))
    code = LatentCode(tensor, model.rows)
    names = code.rows.names
    bright = code.tensor[:, names.index("hair.texture"), 3]
    big = code.tensor[:, 0, 5] - code.tensor[:, names.index("eye.structure"), 7]
    both = bright + big
    attributes = (Attribute("bright", True), Attribute("big", True), Attribute("both", True))
    groups = tuple((row,) for row in range(len(names)))  # one base row
    return ScoredCodes(code, torch.stack([bright, big, both], 1), attributes, groups, "a formula")


def test_rows_of_an_independent_sample_differ_and_base_rows_agree(model: Model) -> None:
    code = sample_codes(model, [5, 6])
    num_base = model.rows.num_base
    assert torch.equal(code.tensor[:, :1].expand(-1, num_base, -1), code.tensor[:, :num_base])
    rows = code.tensor[0, num_base - 1 :]
    assert len({tuple(row.tolist()) for row in rows}) == len(rows)
    assert torch.equal(sample_codes(model, [6]).tensor[0], code.tensor[1])


def test_the_rows_that_count_are_found(scored: ScoredCodes) -> None:
    assert next(iter(row_shares(scored, "bright"))) == "hair.texture"
    found = fit(scored, "bright")
    assert found.rows == ("hair.texture",)
    assert found.regions == ("hair",)
    assert set(fit(scored, "big").rows) == {*(row for row in scored.code.rows.names if "base" in row), "eye.structure"}


def test_the_normal_is_found_and_held_out_codes_confirm_it(scored: ScoredCodes) -> None:
    found = fit(scored, "bright", ratio=0.3)
    assert abs(float(found.normal[0, 3])) > 0.95
    assert found.figures["accuracy"] > 0.95
    assert found.figures["num_held_out"] == 2 * round(180 * 0.3)


def test_both_methods_agree_on_independent_rows(scored: ScoredCodes) -> None:
    machine, means = (fit(scored, "bright", ratio=0.3, method=method) for method in ("interfacegan", "means"))
    assert float((machine.normal * means.normal).sum()) > 0.9
    with pytest.raises(InputError, match="method"):
        fit(scored, "bright", method="median")


def test_strength_one_is_one_deviation_of_the_codes(scored: ScoredCodes) -> None:
    found = fit(scored, "bright", ratio=0.3)
    row = scored.code.rows.names.index("hair.texture")
    along = scored.code.tensor[:, row] @ found.normal[0]
    assert found.scale == pytest.approx(float(along.std()), rel=1e-4)


def test_means_move_where_the_codes_of_a_class_lie(model: Model) -> None:
    """Rows that go together: an attribute is told by a small difference of two rows and comes with a large sum.

    The machine finds the difference, in which the codes hardly vary, the means the sum.
    """
    draws = torch.Generator().manual_seed(0)
    common, small = torch.randn(2, 2000, generator=draws)
    score = common + small
    tensor = 0.01 * torch.randn(2000, len(model.rows), 16, generator=draws)
    tensor[:, 0, 0], tensor[:, 0, 1] = 10 * common + 0.2 * small, -0.2 * small + 10 * common
    code = LatentCode(tensor, model.rows)
    groups = tuple((row,) for row in range(len(model.rows)))
    scored = ScoredCodes(code, score[:, None], (Attribute("sum", True),), groups, "a formula")
    row = model.rows.names[:1]
    by_machine, by_means = (fit(scored, "sum", row, method=method) for method in ("interfacegan", "means"))
    assert by_means.method == "means" and by_machine.method == "interfacegan"
    pattern = torch.tensor([1.0, 1.0]) / 2**0.5
    assert float(by_means.normal[0, :2] @ pattern) > 0.999
    assert float(by_machine.normal[0, :2] @ pattern) < 0.9
    assert by_means.scale > 1.1 * by_machine.scale
    assert by_machine.figures["accuracy"] > by_means.figures["accuracy"] > 0.8


def test_what_means_hold_stays(model: Model) -> None:
    """Two attributes that go together in the data: a direction of one that holds the other moves it by far less."""
    draws = torch.Generator().manual_seed(0)
    tensor = torch.randn(3000, len(model.rows), 16, generator=draws)
    tensor[:, 0, 1] += 2 * tensor[:, 0, 0]
    first, second = tensor[:, 0, 0], tensor[:, 0, 1]
    code, groups = LatentCode(tensor, model.rows), tuple((row,) for row in range(len(model.rows)))
    attributes = (Attribute("first", True), Attribute("second", True))
    scored = ScoredCodes(code, torch.stack([first, second], 1), attributes, groups, "a formula")
    rows = model.rows.names[:1]
    (free,) = by_attributes(scored, ["first"], rows, method="means")
    (holding,) = by_attributes(scored, ["first"], rows, conditions=["second"], method="means")
    assert holding.figures["conditions"] == ["second"]
    leak = {each: float(each.normal[0, 1] / each.normal[0, 0]) for each in (free, holding)}
    assert leak[free] == pytest.approx(2.0, rel=0.2)
    assert abs(leak[holding]) < 0.6


def test_labels_without_information_are_not_fitted(scored: ScoredCodes) -> None:
    noise = torch.randn(600, 1, generator=torch.Generator().manual_seed(1))
    blind = ScoredCodes(scored.code, noise, (Attribute("luck", True),), scored.groups)
    with pytest.raises(InputError, match="no rows explain"):
        fit(blind, "luck")
    named = fit(blind, "luck", rows=["hair.texture"])
    assert named.figures["accuracy"] < 0.7


def test_a_condition_is_not_moved_along(scored: ScoredCodes) -> None:
    plain = fit(scored, "both", rows=["base.0", "eye.structure", "hair.texture"])
    (held,) = by_attributes(scored, ["both"], ["base.0", "eye.structure", "hair.texture"], conditions=["bright"])
    other = fit(scored, "bright", rows=["base.0", "eye.structure", "hair.texture"])
    assert abs(float((plain.normal * other.normal).sum())) > 0.3
    assert abs(float((held.normal * other.normal).sum())) < 1e-4
    assert held.figures["conditions"] == ["bright"]


def test_invalid_scores_are_left_out(scored: ScoredCodes) -> None:
    scores = scored.scores.clone()
    scores[::2, 0] = INVALID
    some = ScoredCodes(scored.code, scores, scored.attributes, scored.groups)
    assert fit(some, "bright", ratio=0.3).figures["num_codes"] == 300


@pytest.mark.parametrize(
    ("attribute", "changes", "words"),
    [
        ("brigth", {}, "Did you mean 'bright'"),
        ("bright", {"ratio": 0.0}, "ratio"),
        ("bright", {"ratio": 0.6}, "ratio"),
        ("bright", {"ratio": 0.001}, "at least 10 are needed"),
        ("bright", {"rows": ["hair.colour"]}, "rows to move"),
    ],
)
def test_what_cannot_be_fitted_is_one_line(
    scored: ScoredCodes, attribute: str, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        fit(scored, attribute, **changes)  # type: ignore[arg-type]


BRIGHT = Labels("brightness", ["bright"], lambda rendering: rendering.image.mean((1, 2, 3)))


def test_scoring_goes_on_where_it_was_stopped(model: Model, tmp_path: Path) -> None:
    kept = tmp_path / "scores.safetensors"
    stop = threading.Event()

    def report(done: int, total: int | None, what: str) -> None:
        if done >= 16:
            stop.set()

    with pytest.raises(Cancelled):
        score_samples(model, BRIGHT, 40, seed=7, kept=kept, progress=Progress(report=report, cancel=stop))
    seen = []
    again = score_samples(
        model, BRIGHT, 40, seed=7, kept=kept, progress=Progress(report=lambda done, *_: seen.append(done))
    )
    assert seen[0] == 16
    whole = score_samples(model, BRIGHT, 40, seed=7)
    torch.testing.assert_close(again.scores, whole.scores, atol=1e-6, rtol=0)
    with pytest.raises(InputError, match="another model, other labels, another sampling or seed"):
        score_samples(model, BRIGHT, 40, seed=8, kept=kept)


def test_plain_samples_are_samples(model: Model) -> None:
    scored = score_samples(model, BRIGHT, 10, seed=3, sampling="plain")
    assert scored.code == model.sample(seed=3, n=10)
    assert scored.groups == (tuple(range(len(model.rows))),)


def test_masks_are_measured(model: Model) -> None:
    labels = MaskLabels(model)
    assert [attribute.name for attribute in labels.attributes] == ["eye_open", "hair_reach"]  # it has no eyebrows
    rendering = model.render(model.sample(seeds=[0, 1, 2, 3]))
    scores = labels(rendering)
    hair = rendering.labels() == model.regions.names.index("hair")
    for image in range(4):
        rows = hair[image].any(1).nonzero()
        assert scores[image, 1] == (pytest.approx((float(rows.max()) + 1) / 32) if len(rows) else INVALID)
    joined = JoinedLabels([labels, BRIGHT])
    assert torch.equal(joined(rendering)[:, :2], scores)
    with pytest.raises(InputError, match="two of the labels"):
        JoinedLabels([labels, labels])


def test_a_table_labels_codes_by_name(model: Model, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("picture,Smiling,age\na.png,1,20\nb.jpg,0,30\nd.png,1,45\n")
    code = model.sample(seeds=[0, 1, 2])
    scored = score_by_table(code, ["faces/b.safetensors", "c.safetensors", "a.safetensors"], read_table(table))
    assert scored.code == code[[0, 2]]
    assert [(each.name, each.graded) for each in scored.attributes] == [("Smiling", False), ("age", True)]
    assert scored.scores.tolist() == [[-1.0, 30.0], [1.0, 20.0]]
    with pytest.raises(InputError, match="no line for any"):
        score_by_table(code, ["x", "y", "z"], read_table(table))


def test_celebas_attributes_are_read(tmp_path: Path) -> None:
    table = tmp_path / "CelebAMask-HQ-attribute-anno.txt"
    table.write_text("2\nBald Smiling\n0.jpg -1  1\n1.jpg -1 -1\n")
    read = read_table(table)
    assert read.names == ("0", "1")
    assert [attribute.name for attribute in read.attributes] == ["Bald", "Smiling"]
    assert read.scores[:, 1].tolist() == [1.0, -1.0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "needs a header"),
        ("name\na\n", "needs a header"),
        ("name,x,x\na,1,2\n", "needs a header"),
        ("name,x\na,1\na.png,2\n", "two lines about 'a'"),
        ("name,x\na,1,2\n", "line 2"),
        ("name,x\na,high\n", "no finite number"),
        ("name,x\na,nan\n", "no finite number"),
    ],
)
def test_a_table_that_is_none_is_one_line(text: str, words: str, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text(text)
    with pytest.raises(InputError, match=words):
        read_table(table)
