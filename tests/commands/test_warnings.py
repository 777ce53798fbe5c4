"""Warnings about data as the command line prints them."""

from __future__ import annotations

import argparse
import warnings

import pytest

from semanticgan import commands
from semanticgan.errors import DataWarning


def test_a_data_warning_is_one_line_and_others_are_left_to_python(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(args: argparse.Namespace) -> None:
        warnings.warn("2 files\nwere left out.", DataWarning, stacklevel=1)
        warnings.warn("something else", UserWarning, stacklevel=1)

    monkeypatch.setattr("semanticgan.commands.components.run", run)
    with pytest.warns(UserWarning, match="something else"):
        assert commands.main(["components", "--seed", "1", "--out", "x.png"]) == 0
    assert capsys.readouterr().err == "warning: 2 files were left out.\n"
