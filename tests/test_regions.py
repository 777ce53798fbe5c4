"""Region schemes: names, aliases, palette, flips, and the label orders of other datasets."""

from __future__ import annotations

import numpy as np
import pytest

from semanticgan.errors import InputError
from semanticgan.regions import (
    BISENET_19_ORDER,
    CELEBAMASK_13,
    CELEBAMASK_19,
    CELEBAMASK_19_ORDER,
    CELEBAMASK_PARTS,
    PHOTOGRAPHS_11,
    RegionScheme,
    relabel_table,
)


def test_the_thirteen_regions_are_those_of_the_released_models() -> None:
    names = [
        "background",
        "face",
        "eye",
        "eyebrow",
        "mouth",
        "nose",
        "ear",
        "hair",
        "neck",
        "cloth",
        "glasses",
        "hat",
        "earring",
    ]
    assert list(CELEBAMASK_13.names) == names
    assert CELEBAMASK_13.transparent_indices == (10, 12)
    assert PHOTOGRAPHS_11.names == CELEBAMASK_13.names[:11]
    assert PHOTOGRAPHS_11.transparent_indices == (10,)


@pytest.mark.parametrize(
    ("given", "name"), [("eyes", "eye"), ("lips", "mouth"), ("Hair", "hair"), (" skin ", "face"), ("brows", "eyebrow")]
)
def test_aliases(given: str, name: str) -> None:
    assert CELEBAMASK_13.index(given) == CELEBAMASK_13.names.index(name)


def test_several_regions_in_one_string_each_once() -> None:
    assert CELEBAMASK_13.indices("hair, lips,hair") == (7, 4)
    assert CELEBAMASK_13.indices(["eye", "eyes"]) == (2,)


def test_unknown_regions_name_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown region 'hairr'\. Did you mean 'hair'\? Known: background, face"):
        CELEBAMASK_13.index("hairr")
    with pytest.raises(InputError, match="no region given"):
        CELEBAMASK_13.indices(" , ")


def test_a_scheme_of_other_names_has_its_own_distinct_colours() -> None:
    scheme = RegionScheme(("sky", "sea", "sand", "palm", "ship"))
    assert len(set(scheme.colours)) == 5
    assert RegionScheme.from_dict(scheme.to_dict()) == scheme


@pytest.mark.parametrize("scheme", [CELEBAMASK_13, CELEBAMASK_19, PHOTOGRAPHS_11])
def test_description_is_read_back(scheme: RegionScheme) -> None:
    assert RegionScheme.from_dict(scheme.to_dict()) == scheme


def test_palette_colours_labels() -> None:
    labels = np.array([[0, 7], [12, 1]], dtype=np.uint8)
    assert len(CELEBAMASK_13.palette()) == 768
    assert CELEBAMASK_13.colourise(labels)[0, 1].tolist() == list(CELEBAMASK_13.colours[7])


def test_flip_exchanges_sides_only_where_there_are_some() -> None:
    assert (CELEBAMASK_13.flip_table() == np.arange(256)).all()
    table = CELEBAMASK_19.flip_table()
    assert table[[4, 5, 6, 7, 8, 9]].tolist() == [5, 4, 7, 6, 9, 8]
    assert (table[table] == np.arange(256)).all()


def test_other_orders_map_into_the_thirteen() -> None:
    part_region = {**CELEBAMASK_PARTS, "background": "background"}
    for order in (CELEBAMASK_19_ORDER, BISENET_19_ORDER):
        assert set(order) == set(part_region)
        table = relabel_table(order)
        assert [CELEBAMASK_13.names[table[label]] for label in range(19)] == [part_region[part] for part in order]
        assert (table[19:] == 255).all()
    assert (relabel_table(BISENET_19_ORDER)[17], relabel_table(CELEBAMASK_19_ORDER)[17]) == (7, 8)


@pytest.mark.parametrize("names", [("background",), ("a", "b", "a")])
def test_schemes_that_make_no_sense_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="region scheme"):
        RegionScheme(names)


def test_transparent_and_mirrored_regions_must_exist() -> None:
    with pytest.raises(InputError, match="unknown region 'glasses'"):
        RegionScheme(("background", "face"), transparent=("glasses",))
    with pytest.raises(InputError, match="unknown region 'l_eye'"):
        RegionScheme(("background", "face"), mirrored=(("l_eye", "face"),))
