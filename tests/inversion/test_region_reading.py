"""Regions of photographs by the bundled parsers."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

import semanticgan as sg
from semanticgan.checkpoint import LoadedModel
from semanticgan.data.portraits import PortraitDataset
from semanticgan.inversion.region_reading import read_labels, read_memberships
from semanticgan.model import Model


def test_memberships_are_those_of_the_labels() -> None:
    """On drawn portraits, whose regions are known."""
    model = sg.load("portraits-64", device="cpu")
    drawn = PortraitDataset(model.size, length=4, seed=77)
    pictures = torch.stack([torch.as_tensor(np.asarray(one.image)) for one in drawn]).float() / 127.5 - 1
    memberships, labels = read_memberships(model, pictures), read_labels(model, pictures)
    assert memberships is not None and labels is not None
    assert memberships.sum(1).sub(1).abs().max() < 1e-5 and memberships.min() >= 0
    assert (memberships.argmax(1) == labels).float().mean() > 0.999  # labels are read from rounded pictures
    truth = torch.stack([torch.as_tensor(np.asarray(one.labels)) for one in drawn])
    assert (memberships.argmax(1) == truth).float().mean() > 0.9


def test_no_parser_of_drawn_portraits_for_photographs() -> None:
    """A model of photographs with the 13 regions, such as celebamask-hq-512."""
    model = sg.load("portraits-64", device="cpu")
    of_photographs = dataclasses.replace(model.metadata, data_licence="CelebAMask-HQ, research only")
    other = Model(LoadedModel(model.generator, model.regions, of_photographs))
    assert read_labels(model, torch.zeros(1, 3, 64, 64)) is not None
    assert read_labels(other, torch.zeros(1, 3, 64, 64)) is None


def test_no_parser_of_other_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("semanticgan.inversion.region_reading.PARSERS", ("photographs-64",))
    model = sg.load("portraits-64", device="cpu")
    assert read_memberships(model, torch.zeros(1, 3, 64, 64)) is None
