"""Files of flows: what is written comes back, edits by attribute names, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import semanticgan as sg
from semanticgan.directions.flow_files import Condition, LoadedFlow, load_flow, save_flow
from semanticgan.directions.styleflow import StyleFlow
from semanticgan.errors import ExistingFileError, InputError, WeightsError
from semanticgan.model import Model

ATTRIBUTES = (Condition("age", 10.0, 70.0), Condition("glasses", 0.0, 1.0))


@pytest.fixture(scope="module")
def model(tiny_model_file: Path) -> Model:
    return sg.load(tiny_model_file, device="cpu")


def flow_of(model: Model) -> LoadedFlow:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        flow = StyleFlow(16, 2, (8, 8)).eval().requires_grad_(False)
    origin = {"name": "tiny", "digest": model.metadata.digest}
    return LoadedFlow(flow, ATTRIBUTES, model.rows, origin, {"perception": ["a"]}, "MIT", "own", "a flow")


def test_round_trip(model: Model, tmp_path: Path) -> None:
    written, path = flow_of(model), tmp_path / "flow.safetensors"
    save_flow(path, written)
    read = load_flow(path, model)
    state, expected = read.flow.state_dict(), written.flow.state_dict()
    assert state.keys() == expected.keys() and all(torch.equal(state[name], expected[name]) for name in state)
    assert replace(read, flow=written.flow) == written
    assert not read.flow.training and not any(each.requires_grad for each in read.flow.parameters())
    with pytest.raises(ExistingFileError, match="overwrite"):
        save_flow(path, written)
    save_flow(path, written, overwrite=True)


def test_edits_by_name(model: Model) -> None:
    flow, code = flow_of(model), model.sample(seeds=[1, 2])
    old = torch.tensor([[40.0, 0.1], [70.0, 0.0]])
    assert flow.names == ("age", "glasses")
    assert torch.allclose(flow.conditions(old), torch.tensor([[0.0, -0.8], [1.0, -1.0]]))
    new = flow.changed(old, {"glasses": 1})
    assert torch.equal(new, torch.tensor([[40.0, 1.0], [70.0, 1.0]])) and old[0, 1] == 0.1
    rows = model.rows.indices("glasses")
    edited = flow.edit(code, old, new, rows)
    expected = flow.flow.edit(code.tensor, flow.conditions(old), flow.conditions(new), rows)
    assert edited.rows == code.rows and torch.equal(edited.tensor, expected)
    changed = (edited.tensor != code.tensor).flatten(2).any(2).any(0).nonzero().flatten().tolist()
    assert changed == rows
    with pytest.raises(InputError, match=r"unknown attribute 'glases'\. Did you mean 'glasses'"):
        flow.changed(old, {"glases": 1.0})


def test_another_model_is_refused_in_one_line(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "flow.safetensors"
    save_flow(path, flow_of(model))
    other = sg.load("portraits-64", device="cpu")
    with pytest.raises(
        InputError, match=r"belongs to the model 'tiny' with the digest \w{16}; this model has \w{16}"
    ) as told:
        load_flow(path, other)
    assert "\n" not in str(told.value)
    with pytest.raises(InputError, match="Use a code of its model"):
        flow_of(model).edit(other.sample(seed=1), torch.zeros(1, 2), torch.zeros(1, 2))


def test_files_that_are_no_flow(model: Model, tiny_model_file: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="something else"):
        load_flow(tiny_model_file)
    with pytest.raises(InputError, match="2 conditions, got 1 attributes"):
        save_flow(tmp_path / "a.safetensors", replace(flow_of(model), attributes=ATTRIBUTES[:1]))
    with pytest.raises(InputError, match="a low below high"):
        Condition("age", 2.0, 2.0)
    path = tmp_path / "flow.safetensors"
    save_flow(path, flow_of(model))
    with safe_open(path, "pt") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    changes = {
        "attributes": json.dumps([{"name": "age", "low": 0, "high": 1}]),
        "config": json.dumps({"style_dim": 16, "num_conditions": 2, "hidden": [8], "num_blocks": 1}),
        "rows": "[]",
    }
    for name, text in changes.items():
        broken = {**metadata, name: text}
        with pytest.MonkeyPatch.context() as patch:  # as if it had been written so
            patch.setattr("semanticgan.formats.weights.metadata_sha256", lambda _: "0")
            save_file(tensors, path, {**broken, "metadata_sha256": "0"})
            with pytest.raises(WeightsError):
                load_flow(path)
