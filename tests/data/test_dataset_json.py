"""dataset.json: what it may say, and that each fault of it is one line that names the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from semanticgan.data import open_dataset
from semanticgan.errors import InputError
from tests.conftest import Run

Make = Callable[[int], Path]
NAMES = [f"part {k}" for k in range(13)]
TABLE = json.dumps({"names": NAMES})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_encodings(make_folder: Make, encoding: str) -> None:
    folder = make_folder(1)
    text = json.dumps({"regions": {"names": ["Ünder", *NAMES]}}, ensure_ascii=False)
    (folder / "dataset.json").write_bytes(text.encode(encoding))
    assert open_dataset("folder", folder, 16).regions.names[0] == "Ünder"


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\xff\xfe", b"\x00" * 9, "Zo\u00eb".encode("latin-1"), b"{", b"null", b"[]", b"3", b'"regions"'),
        *(b"[" * 100_000, b'{"a":' * 100_000, b'{"regions": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"),
        *(b'{"regions": null}', b'{"regions": 3}', b'{"regions": []}', b'{"regions": {"names": NaN}}'),
        b'{"regions": {"names": ["a", "b"], "colours": [[0, 0, 0], [NaN, 0, 0]]}}',
        b'{"regions": {"names": ["a", "b"], "colours": [[0, 0, 0], [1e999, 0, 0]]}}',
        b'{"regions": {"names": ["a", "b"], "colours": [[0, 0, 0], [' + b"9" * 5000 + b", 0, 0]]}}",
        b'{"regions": {"names": ["a", "b"], "names": ["c", "d"]}}',
        f'{{"regions": {TABLE}, "regions": {TABLE}}}'.encode(),
        f'{{"regions": {TABLE}, "side": Infinity}}'.encode(),
        b'{"regions": {"names": ["a", "\\ud800"]}}',
        b'{"regions": {"names": ["a", "\\u001b[2J"]}}',
        b" " * (2**24 + 1),
    ],
    ids=lambda content: ascii(content[:30]),
)
def test_what_cannot_be_used_is_a_line_that_names_the_file(make_folder: Make, content: bytes) -> None:
    folder = make_folder(1)
    (folder / "dataset.json").write_bytes(content)
    with pytest.raises(InputError, match=r"dataset\.json") as caught:
        open_dataset("folder", folder, 16)
    message = str(caught.value)
    assert message.isprintable() and len(message) < 800 and str(folder) in message


def test_other_keys_are_others(make_folder: Make) -> None:
    folder = make_folder(1)
    (folder / "dataset.json").write_text(f'{{"labels": [["0.png", 0]], "regions": {TABLE}}}')
    assert list(open_dataset("folder", folder, 16).regions.names) == NAMES


def test_without_regions_it_is_told_what_to_add(make_folder: Make) -> None:
    folder = make_folder(1)
    with pytest.raises(InputError, match=r"put a dataset\.json beside"):
        open_dataset("folder", folder, 16)
    (folder / "dataset.json").write_text('{"labels": [["0.png", 0]]}')
    with pytest.raises(InputError, match=r'add "regions": .* to its dataset.json, which has no \'regions\'') as caught:
        open_dataset("folder", folder, 16)
    assert "put a dataset.json" not in str(caught.value)
    assert len(open_dataset("folder", folder, 16, scheme="celebamask-13")) == 1


def test_capitals_train_and_are_chosen_later(make_folder: Make, command: Callable[..., Run]) -> None:
    folder = make_folder(4)
    names = ["Background", "Face", "LONG hair", *NAMES[:10]]
    (folder / "dataset.json").write_text(json.dumps({"regions": {"names": names}}))
    words = ("device=cpu", "data.kind=folder", f"data.path={folder}", "data.length=null", "schedule.total_images=4")
    model = command("train", "tiny", "run_dir=run", *words).result["model"]
    edit = ("edit-region", "--model", model, "--from-seed", 3, "--device", "cpu")
    assert command(*edit, "--region", "LONG hair", "--out", "a.png").result["regions"] == ["LONG hair"]
    assert command(*edit, "--region", "face,long HAIR", "--out", "b.png").result["regions"] == ["Face", "LONG hair"]
