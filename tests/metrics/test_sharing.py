"""Several processes measure what one does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from semanticgan.distributed import Processes, share
from semanticgan.model import load
from semanticgan.perception.parser import FaceParser, ParserConfig, ParserNetwork
from tests.programs import run_well, torchrun


@pytest.mark.parametrize(("total", "count"), [(7, 2), (2, 3), (0, 2), (12, 4), (5, 1)])
def test_shares_are_all_items_in_order_and_about_equal(total: int, count: int) -> None:
    shares = [share(range(total), Processes(rank, count)) for rank in range(count)]
    assert [item for part in shares for item in part] == list(range(total))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_two_processes_measure_as_one(tiny_model_file: Path, tmp_path: Path) -> None:
    """Pictures are taken one by one, so that every bit is the same."""
    found = {}
    for count in (1, 2):
        out = tmp_path / str(count) / "rank"
        out.parent.mkdir()
        run_well(["-m", "tests.metrics.shared_metrics", str(out), str(tiny_model_file)], count)
        found[count] = [torch.load(f"{out}{rank}", weights_only=True) for rank in range(count)]
    (alone,) = found[1]
    assert len(alone["generated"]) == len(alone["real"][0]) == 7
    for rank, result in enumerate(found[2]):
        assert torch.equal(result["generated"], alone["generated"])
        assert all(torch.equal(again, alone["real"][0]) for again in result["real"])
        assert result["path_length"] == alone["path_length"]
        assert result["cached"] == (rank == 0)


def test_the_command_started_by_torchrun_finds_what_it_finds_alone(tiny_model_file: Path, tmp_path: Path) -> None:
    """No option of its own may look like the beginning of one of torchrun's, either."""
    regions = load(tiny_model_file, device="cpu").regions
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        FaceParser(ParserNetwork(ParserConfig(32, len(regions), (4, 8))), regions).save(tmp_path / "parser.safetensors")
    found = []
    for count in (1, 2):
        edits = f"--num-edits 2 --num-variations 2 --region face,eye,hair --parser {tmp_path}/parser.safetensors"
        counts = "--num-generated 7 --num-paths 3 --batch 1"
        names = "fid,pr,ppl,miou,attributes,locality,diversity"
        options = f"--metrics {names} --data-kind portraits {counts} {edits} --cache {tmp_path}"
        stand_ins = "--extractor random --distance random --device cpu"
        words = [*options.split(), *stand_ins.split(), "--model", str(tiny_model_file)]
        out = tmp_path / f"{count}.json"
        program = ["tools/evaluate.py", *words, "--out", str(out)]
        if count == 1:
            run_well(program)
        else:
            ended = torchrun(program, count)
            assert ended.returncode == 0, ended.stderr[-3000:]
        found.append(json.loads(out.read_text()))
    alone, shared = found
    assert (alone["processes"], shared["processes"]) == (1, 2)
    for name, result in alone["results"].items():
        assert shared["results"][name]["values"] == pytest.approx(result["values"], rel=1e-9), name
        assert shared["results"][name].get("details") == result.get("details"), name
        assert shared["results"][name]["num_generated"] == result["num_generated"]
