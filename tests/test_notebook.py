"""docs/studio.ipynb: small, and it runs from top to bottom; its sliders and its grid do what the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs" / "studio.ipynb"
LARGEST = 300_000
LACKING = "needs pip install 'semanticgan[notebook]'"

# Cells that a person's hands make, each after the cells of the notebook.
HANDS = """
before = picture.value
regions["hair"].value = 1.0
moved = picture.value
assert moved != before, "a slider of a region changes the picture"
expected = model.render(sg.swap(face, other, "hair"))._repr_png_()
assert moved == expected, "1 is the other's"
what.value = "texture"
assert picture.value not in (before, moved), "and one of texture alone, less"
what.value = "both"
assert picture.value == moved
regions["hair"].value = 0.0
assert picture.value == before, "0 is the face"
attributes["smile"].value = 2.0
assert picture.value == model.render(sg.move(face, model.directions["smile"], 2.0))._repr_png_()
"""
CLICKS = """
first = {place: cell.value for place, cell in pictures.items()}
assert len(set(first.values())) == 16
row.value = "face.texture"
assert all(cell.value != first[place] for place, cell in pictures.items()), "another row, another grid"
takes[1, 2].click()
assert picture.value == pictures[1, 2].value, "the face that is clicked is the one of the sliders"
assert all(one.value == 0 for one in (*regions.values(), *attributes.values()))
"""


def test_what_it_stores_is_small() -> None:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert "widgets" not in notebook["metadata"]
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    assert outputs and all(len(json.dumps(output)) < LARGEST for output in outputs)
    assert not any(output["output_type"] == "error" for output in outputs)
    assert not re.search(r"/(home|root|work|tmp)/", json.dumps(notebook))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_it_runs_and_answers_to_hands() -> None:
    for package in ("ipywidgets", "ipykernel"):
        pytest.importorskip(package, reason=LACKING)
    nbformat: Any = pytest.importorskip("nbformat", reason=LACKING)
    nbclient: Any = pytest.importorskip("nbclient", reason=LACKING)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    notebook.cells += [nbformat.v4.new_code_cell(source) for source in (HANDS, CLICKS)]
    where = {"metadata": {"path": str(ROOT)}}
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3", resources=where).execute()
    shown = [cell.outputs[-1].data for cell in notebook.cells if cell.cell_type == "code" and cell.outputs]
    assert ["image/png" in data for data in shown] == [True, False, False, True]
    assert ["application/vnd.jupyter.widget-view+json" in data for data in shown] == [False, True, True, False]
