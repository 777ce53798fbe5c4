"""Another method by the same loop: it grows, changes its batch, and resumes across both bit for bit."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from semanticgan.runs.report import write_report
from semanticgan.runs.state import load_state, newest_state
from semanticgan.training.loop import train
from semanticgan.training.sections import ScheduleSection
from tests.programs import run_well
from tests.training.exactness import assert_same, stop_after
from tests.training.toy_method import STAGES, ToyConfig

IMAGES = 320


def config_of(run_dir: str, images: int) -> ToyConfig:
    schedule = ScheduleSection(total_images=images, log_every=1, sheet_every=8, save_every=4)
    return ToyConfig(run_dir=run_dir, size=16, batch=8, device="cpu", log_to=[], schedule=schedule)


def ended(run_dir: Path) -> dict[str, object]:
    newest = newest_state(run_dir)
    assert newest is not None
    return load_state(newest)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run_dir = tmp_path_factory.mktemp("toy") / "whole"
    assert train(config_of(str(run_dir), IMAGES)).finished
    return run_dir


@pytest.mark.parametrize("stop", [7, 12, 17, 24, 26])
def test_resumes_across_growth_and_another_batch(
    whole: Path, tmp_path: Path, stop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Growth comes after 12 steps, the larger batch after 24."""
    with monkeypatch.context() as patch:
        stop_after(stop, patch)
        assert not train(config_of(str(tmp_path / "run"), IMAGES)).finished
    assert train(config_of(str(tmp_path / "run"), IMAGES)).finished
    assert_same(ended(tmp_path / "run"), ended(whole))
    assert (tmp_path / "run" / "stats.jsonl").read_bytes() == (whole / "stats.jsonl").read_bytes()


def train_in_two(run_dir: Path, images: int) -> None:
    run_well(["-m", "tests.training.test_toy_method", str(run_dir), str(images)], 2)


def test_two_processes_train_as_one_and_resume_bit_for_bit(whole: Path, tmp_path: Path) -> None:
    """Stopped after 7 steps, before growth, and after 26, with the larger batch."""
    train_in_two(tmp_path / "whole", IMAGES)
    for images in (7 * 8, 192 + 2 * 16, IMAGES):
        train_in_two(tmp_path / "run", images)
    assert_same(ended(tmp_path / "run"), ended(tmp_path / "whole"))
    found, expected = ended(tmp_path / "run"), ended(whole)
    assert found["steps_done"] == expected["steps_done"] == 24 + 8
    for name, network in expected["networks"].items():
        for path, weight in network.items():
            torch.testing.assert_close(found["networks"][name][path], weight, rtol=1e-5, atol=1e-6)


def test_parts_that_a_stage_does_not_use_stay(tmp_path: Path) -> None:
    train(config_of(str(tmp_path / "run"), 96))
    first = ended(tmp_path / "run")["networks"]["generator"]
    train(config_of(str(tmp_path / "run"), 192))
    later = ended(tmp_path / "run")["networks"]["generator"]
    begun = config_of(str(tmp_path / "other"), 8)
    train(begun)
    assert torch.equal(ended(tmp_path / "other")["networks"]["generator"]["large.weight"], first["large.weight"])
    assert not torch.equal(later["large.weight"], first["large.weight"])


def test_reports_and_samples(whole: Path) -> None:
    lines = [json.loads(line) for line in (whole / "stats.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 33))
    assert len(list((whole / "sheets").glob("*.png"))) == 4
    write_report(whole, whole.parent / "report.html")
    assert "320 images" in (whole.parent / "report.html").read_text()


def test_every_stage_begins_at_a_step() -> None:
    assert all(start % 8 == 0 for start in STAGES)


if __name__ == "__main__":
    train(config_of(sys.argv[1], int(sys.argv[2])))
