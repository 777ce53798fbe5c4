"""Region schemes: names, aliases, palette, flips, and the label orders of other datasets."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

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


GOOD_NAMES = (
    *("Face", "long hair", "HAIR", "Straße", "Zoë", "Zoe\u0308", "İris", "ΟΔΟΣ", "日本", "eyes", "skin", "lips", "a.b"),
    *("a=b", "-x", "0", "null", "all", "a/b", "'a'", "x" * 100),
)


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_a_region_is_chosen_by_its_name_in_any_case(name: str) -> None:
    for others in ((), ("eye", "face", "mouth"), ("necklace", "clothes")):
        scheme = RegionScheme(("background", name, *(other for other in others if other != name.casefold())))
        for given in (name, f" {name} ", name.casefold(), unicodedata.normalize("NFD", name)):
            assert scheme.indices(given) == scheme.indices([given]) == (1,)
        assert RegionScheme.from_dict(json.loads(json.dumps(scheme.to_dict()))) == scheme
        assert [scheme.index(own) for own in scheme.names] == list(range(len(scheme)))


BAD_NAMES = (
    *("", " ", "\t", " hair", "hair ", "hair\u00a0", "\u3000hair", "hair, long", ",", "x" * 101, 1, 1.5, None, True),
    *(["hair"], {"hair": 1}, b"hair", "ha\nir", "ha\x00ir", "\x1b[2Jhair", "ha\x9bir", "hair\u202e", "ha\u200bir"),
    *("\ufeffhair", "ha\u2028ir", "ha\u2066ir", "hair\ud800", "Face", "FACE", "ﬀ", "ZOE\u0308", "ss"),
)


@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
def test_names_that_could_not_be_chosen_are_refused(name: Any) -> None:
    with pytest.raises(InputError) as caught:
        RegionScheme.from_dict({"names": ["background", "face", "ff", "Zo\u00eb", "ß", name]})
    message = str(caught.value)
    assert message.isprintable() and len(message) < 400


@pytest.mark.parametrize(
    "description",
    [
        *(None, [], "background", 3, {}, {"names": None}, {"names": "background"}, {"names": {"a": 1, "b": 2}}),
        *({"names": []}, {"names": ["background"]}, {"names": [f"r{k}" for k in range(256)]}),
        *({"names": ["a", "b"], "colors": [[0, 0, 0], [1, 1, 1]]}, {"names": ["a", "b"], "\x1b": 1}),
        *(
            {"names": ["a", "b"], "colours": colours}
            for colours in (
                *(None, 3, "red", {"a": 1}, [[0, 0, 0]], [[0, 0, 0]] * 3, [0, 0, 0, 1, 1, 1], [[0, 0], [1, 1]]),
                *([[0, 0, 0], [256, 0, 0]], [[0, 0, 0], [-1, 0, 0]], [[0, 0, 0], [1.0, 0, 0]], ["000", "111"]),
                *([[0, 0, 0], [True, 0, 0]], [[0, 0, 0], [float("nan"), 0, 0]], [[0, 0, 0], ["1", 0, 0]]),
                *([[0, 0, 0], [1, 1, 1, 1]], [[0, 0, 0], None], [[0, 0, 0], [10**400, 0, 0]]),
            )
        ),
        *(
            {"names": ["a", "b"], "transparent": given}
            for given in (None, "b", 1, ["c"], [1], [None], [["b"]], ["b", "B"], {"b": 1})
        ),
        *(
            {"names": ["a", "b", "c"], "mirrored": given}
            for given in (None, "bc", [["b"]], ["bc"], [["b", "c", "a"]], [["b", "b"]], [["a", "b"], ["b", "c"]], [1])
        ),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_other_descriptions_are_refused_in_a_line(description: Any) -> None:
    with pytest.raises(InputError) as caught:
        RegionScheme.from_dict(description)
    message = str(caught.value)
    assert message.isprintable() and len(message) < 400


def test_a_scheme_has_255_regions_at_most() -> None:
    assert len(RegionScheme(tuple(f"r{k}" for k in range(255)))) == 255


def test_transparent_and_mirrored_follow_the_names() -> None:
    scheme = RegionScheme(("Background", "L", "R"), transparent=("l",), mirrored=(("r", "l"),))
    assert scheme.transparent == ("L",) and scheme.mirrored == (("R", "L"),)
    assert scheme.transparent_indices == (1,) and scheme.flip_table()[:3].tolist() == [0, 2, 1]


def test_lists_are_taken_as_tuples() -> None:
    scheme = RegionScheme(["background", "face"], [[0, 0, 0], [np.int64(1), 2, 3]])  # type: ignore[arg-type]
    assert scheme == RegionScheme(("background", "face"), ((0, 0, 0), (1, 2, 3))) and hash(scheme)


@pytest.mark.parametrize("wrong", [3, None, ["hair", 3], b"hair", 1.5], ids=repr)
def test_what_is_no_name_is_refused(wrong: Any) -> None:
    with pytest.raises(InputError, match=r"chosen by (its|their) name"):
        CELEBAMASK_13.indices(wrong)
