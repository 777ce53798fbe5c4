"""What each of the four design steps varies.

1. Face: another code. 2. Style: the base rows and every structure row. 3. Colouring: the texture rows of hair, eyes,
skin and clothes. 4. Details: the structure rows of eyes, mouth, nose and eyebrows.

Of a layered model a step takes layers by the side of the maps that they style (arXiv 1812.04948, Section 3.1: 4 to 8
pixels pose, hair and outline, 16 to 32 facial features, from 64 on colours; in pictures of at most 64 pixels colours
from 32 on): 2. Style: layers up to 8 pixels. 3. Colouring: the finest layers. 4. Details: those between. A code of one
row (PGGAN) has the first step alone.

A step offers sixteen pictures; the n-th after s shuffles takes its rows from the sample of seed
``1,000,000 (step - 1) + 16 s + n``, so that an offer can be made again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from semanticgan.edits import Edit, Operation
from semanticgan.edits.operations import Mix
from semanticgan.edits.sources import Source
from semanticgan.errors import InputError
from semanticgan.model import Model
from semanticgan.networks.comparison.layered import LayeredGenerator
from semanticgan.rows import layers_text
from semanticgan.studio.scripts import require_free
from semanticgan.wrong_arguments import whole_number

NUM_OFFERED = 16
MOST_SHUFFLES = 60_000
TRUNCATION = 0.8
"""Of offered codes: nearer to the mean face than a sample, so that fewer of sixteen are odd."""

_LARGEST_COARSE = 8  # side of the maps of the style
_SMALLEST_FINE = 64  # side of the maps of the colours
_SMALLEST_FINE_OF_SMALL = 32  # the same, of pictures of at most 64 pixels
_SEEDS_APART = 1_000_000
_VARIATIONS = 5  # offers of the editor come after those of the steps


@dataclass(frozen=True)
class Step:
    """A step of the design.

    Attributes:
        title: one word.
        hint: what it changes, for the page.
        regions: whose rows it takes; None for all.
        what: "structure", "texture" or "both".
        include_base: whether it takes the base rows, too.
        layers: of a layered model, such as "0-2"; "" where it has none for this step.
    """

    title: str
    hint: str
    regions: tuple[str, ...] | None = None
    what: str = "both"
    include_base: bool = False
    layers: str = ""


STEPS = (
    Step("Face", "Choose a face to begin with."),
    Step("Style", "The same colours in other shapes: pose, outline, hair.", None, "structure", True),
    Step(
        "Colouring",
        "The same shapes in other colours: hair, eyes, skin, clothes.",
        ("hair", "eye", "face", "cloth"),
        "texture",
    ),
    Step("Details", "Other eyes, mouth, nose and eyebrows.", ("eye", "mouth", "nose", "eyebrow"), "structure"),
)
"""Of a model of regions."""


def steps_of(model: Model) -> tuple[Step, ...]:
    """The steps of a model: four, or the first alone."""
    if model.rows.regions is not None:
        return STEPS
    sides = sides_of_layers(model)
    if len(sides) == 1:
        return (replace(STEPS[0], hint="Choose a face. The code of this model has one row, so no step follows."),)
    smallest_fine = min(_SMALLEST_FINE if model.size > _SMALLEST_FINE else _SMALLEST_FINE_OF_SMALL, sides[-1])
    fine = [layer for layer, side in enumerate(sides) if side > _LARGEST_COARSE and side >= smallest_fine]
    coarse = [layer for layer, side in enumerate(sides) if side <= _LARGEST_COARSE]
    between = [layer for layer in range(len(sides)) if layer not in (*coarse, *fine)]
    return (
        STEPS[0],
        _step_of_layers("Style", "pose, outline and hair", sides, coarse),
        _step_of_layers("Colouring", "colours and light", sides, fine),
        _step_of_layers("Details", "eyes, mouth and other features", sides, between),
    )


def sides_of_layers(model: Model) -> list[int]:
    """The side in pixels that each layer of a layered model acts at, coarse to fine; layers not in use have none."""
    generator = model.generator
    assert isinstance(generator, LayeredGenerator), "a model without regions"
    return generator.row_sides


def _step_of_layers(title: str, about: str, sides: Sequence[int], layers: Sequence[int]) -> Step:
    if not layers:
        return Step(title, "This model has no layers for this step.")
    first, last = sides[layers[0]], sides[layers[-1]]
    at = f"at {first} pixels" if first == last else f"at {first} to {last} pixels"
    text = layers_text(layers)
    named = f"layer {text}" if len(layers) == 1 else f"layers {text.replace('-', ' to ')}"
    return Step(title, f"Other {about}: {named}, {at}.", layers=text)


def offered_seeds(step: int, shuffle: int) -> list[int]:
    """The sixteen seeds of a step from 1 on (5 for variations) after some shuffles.

    Raises:
        InputError: no such number of shuffles.
    """
    shuffle = whole_number("shuffle", shuffle, 0, MOST_SHUFFLES)
    first = _SEEDS_APART * (step - 1) + NUM_OFFERED * shuffle
    return list(range(first, first + NUM_OFFERED))


def faces(shuffle: int) -> list[Edit]:
    """What the first step offers."""
    return [Edit(seed, truncation=TRUNCATION) for seed in offered_seeds(1, shuffle)]


def operations(model: Model, step: int, shuffle: int, locked: Sequence[str] = ()) -> list[Operation]:
    """What the second to fourth step offers.

    Args:
        model: of regions or layers.
        step: its number.
        shuffle: how often it was shuffled.
        locked: names of regions, or of layers such as "layer.3", whose rows stay. With any, the base rows stay too: all
            regions share them.

    Raises:
        InputError: a model that has none of the step's regions or layers, or all of them are locked.
    """
    steps = steps_of(model)
    if step > len(steps):
        raise InputError("the code of this model has one row, so no step follows the first. Go on in the editor.")
    varied, seeds = steps[step - 1], offered_seeds(step, shuffle)
    if model.rows.regions is None:
        if not varied.layers:
            raise InputError(f"this model has no layers for the step {varied.title!r}. Go on with another step.")
        return _mixes_of_layers(model, varied.layers, seeds, locked)
    names = model.regions.names
    regions = names if varied.regions is None else tuple(name for name in varied.regions if name in names)
    if not regions:
        raise InputError(f"this model has none of the regions of the step {varied.title!r}. Go on with another step.")
    return _mixes(require_free(regions, locked), varied.what, varied.include_base and not locked, seeds)


def variations(
    model: Model, regions: Iterable[str], what: str, shuffle: int, locked: Sequence[str] = ()
) -> list[Operation]:
    """Sixteen variations of some regions, those that are locked excepted.

    Raises:
        InputError: an unknown region, or none that is not locked.
    """
    labels = model.regions.indices(list(regions))
    names = tuple(model.regions.names[label] for label in labels)
    return _mixes(require_free(names, locked), what, False, offered_seeds(_VARIATIONS, shuffle))


def variations_of_layers(model: Model, layers: str, shuffle: int, locked: Sequence[str] = ()) -> list[Operation]:
    """Sixteen variations of some layers, those that are locked excepted.

    Raises:
        InputError: an unknown layer, or none that is not locked.
    """
    return _mixes_of_layers(model, layers, offered_seeds(_VARIATIONS, shuffle), locked)


def _mixes(regions: tuple[str, ...], what: str, include_base: bool, seeds: list[int]) -> list[Operation]:
    return [Mix(regions, _offered(seed), what, include_base) for seed in seeds]


def _mixes_of_layers(model: Model, layers: str, seeds: list[int], locked: Sequence[str]) -> list[Operation]:
    names = [model.rows.names[layer] for layer in model.rows.indices(layers=layers)]
    free = layers_text(model.rows.names.index(name) for name in require_free(names, locked))
    return [Mix((), _offered(seed), layers=free) for seed in seeds]


def _offered(seed: int) -> Source:
    return Source.of(seed, truncation=TRUNCATION)
