"""The rows of a latent code by name, and which of them a choice of regions or layers means.

A code is a tensor [N, R, D] of R rows. A model of K regions has B base rows, shared by all regions but the background
(pose, coarse outline), and two rows per region (Section 3 of arXiv 2112.02236)::

    base.i           row i
    NAME.structure   row B + 2k       of the k-th region
    NAME.texture     row B + 2k + 1

A layered model (w+ of StyleGAN) has one row per layer, coarse to fine: ``layer.l`` is row l.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from semanticgan.errors import InputError, unknown_name
from semanticgan.regions import RegionScheme
from semanticgan.wrong_arguments import require_names, require_type, shown, whole_number

WHAT = ("structure", "texture", "both")
"""Which of a region's two rows an operation changes."""

Regions = str | Iterable[str]
"""Names or aliases; one string may hold several, comma-separated."""

Layers = str | int | Iterable[int]
"""Numbers from 0: ``"0-3"`` (both ends included), ``"0,2,5-7"``, 3 or ``[0, 1]``."""

_MOST = 1000  # layers, or base rows
_LONGEST_CHOICE = 5000  # characters that choose layers: "0,2,4,...,998" has 1,944
_KEYS = ("regions", "num_base", "num_layers")
_LAYERS = re.compile(r"(?:layer\.)?(\d{1,4})(?:\s*-\s*(\d{1,4}))?", re.ASCII)


@dataclass(frozen=True, repr=False)
class Rows:
    """The rows of a code. Made by :meth:`of_regions` or :meth:`of_layers`; equal where all names and regions are.

    Attributes:
        regions: the K regions; None for a layered model.
        num_base: B, the number of base rows; 0 for a layered model.
        num_layers: L, the number of layers; 0 for a model of regions.

    Raises:
        InputError: no whole numbers within 0 to 1000, or both regions and layers.
    """

    regions: RegionScheme | None
    num_base: int = 0
    num_layers: int = 0

    def __post_init__(self) -> None:
        layered = self.regions is None
        if not layered:
            require_type("regions", self.regions, RegionScheme, "a RegionScheme, such as model.regions")
        num_base = whole_number("num_base", self.num_base, 0, 0 if layered else _MOST)
        num_layers = whole_number("num_layers", self.num_layers, int(layered), _MOST if layered else 0)
        object.__setattr__(self, "num_base", num_base)
        object.__setattr__(self, "num_layers", num_layers)

    @classmethod
    def of_regions(cls, regions: RegionScheme, num_base: int) -> Rows:
        """The rows of a model of regions with ``num_base`` base rows."""
        require_type("regions", regions, RegionScheme, "a RegionScheme, such as model.regions")
        return cls(regions, num_base)

    @classmethod
    def of_layers(cls, num_layers: int) -> Rows:
        """The rows of a layered model."""
        return cls(None, num_layers=num_layers)

    @classmethod
    def of_code(cls, given: Rows | RegionScheme, num_rows: int) -> Rows:
        """The rows of a code with ``num_rows`` rows; with a RegionScheme, those before the regions' are base rows.

        Raises:
            InputError: neither Rows nor a RegionScheme, or another number of rows.
        """
        if isinstance(given, RegionScheme):
            if num_rows < 2 * len(given):
                raise InputError(
                    f"a latent code of {len(given)} regions has at least 1 image and {2 * len(given)} rows, got "
                    f"{num_rows} rows. Use the region scheme that the code was made with."
                )
            return cls(given, num_rows - 2 * len(given))
        require_type("the rows of a latent code", given, cls, "Rows or a RegionScheme, such as model.rows")
        if num_rows != len(given):
            raise InputError(
                f"{given.counted} make {len(given)} rows, got {num_rows}. Use the rows of the code's model."
            )
        return given

    def __len__(self) -> int:
        """R."""
        return self.num_layers if self.regions is None else self.num_base + 2 * len(self.regions)

    def __str__(self) -> str:
        """The regions by name, or the first and the last layer."""
        if self.regions is None:
            return f"layer.0 to layer.{self.num_layers - 1}"
        return f"{', '.join(self.regions.names)} ({self.num_base} base rows)"

    def __repr__(self) -> str:
        return f"Rows({self.counted})"

    @property
    def counted(self) -> str:
        """Their numbers in words: "2 base rows and 13 regions", "18 layers"."""
        if self.regions is None:
            return f"{self.num_layers} layers"
        return f"{self.num_base} base rows and {len(self.regions)} regions"

    @property
    def names(self) -> tuple[str, ...]:
        """One name per row: ``base.0``, ``hair.structure``, ``hair.texture``; or ``layer.0``, ``layer.1``."""
        if self.regions is None:
            return tuple(f"layer.{layer}" for layer in range(self.num_layers))
        base = (f"base.{row}" for row in range(self.num_base))
        return (*base, *(f"{region}.{what}" for region in self.regions.names for what in WHAT[:2]))

    def indices(
        self,
        regions: Regions | None = None,
        what: str = "both",
        include_base: bool = False,
        layers: Layers | None = None,
    ) -> list[int]:
        """Row numbers of regions or of layers, ascending.

        Args:
            regions: names or aliases; one string may hold several, comma-separated.
            what: "structure", "texture" or "both" of these regions.
            include_base: also the base rows.
            layers: of a layered model: ``"0-3"``, ``"0,2,5-7"``, a number or numbers.

        Raises:
            InputError: nothing chosen, an unknown region, layer or ``what``, regions of a layered model, or layers of a
                model of regions.
        """
        if not isinstance(what, str) or what not in WHAT:
            raise unknown_name("what", str(what), WHAT)
        if self.regions is None:
            if regions is not None or what != "both" or include_base:
                self.require_regions()
            return self._layer_numbers(layers)
        if layers is not None:
            raise InputError(
                f"there are no layers here: the rows belong to the regions {self}. Choose regions, such as "
                f"regions={self.regions.names[-1]!r}."
            )
        chosen = set(range(self.num_base)) if include_base else set()
        for label in self.regions.indices(require_names(regions)):
            if what != "texture":
                chosen.add(self.num_base + 2 * label)
            if what != "structure":
                chosen.add(self.num_base + 2 * label + 1)
        return sorted(chosen)

    def require_regions(self) -> RegionScheme:
        """The regions.

        Raises:
            InputError: a layered model, which has none.
        """
        if self.regions is None:
            raise InputError(f"there are no regions here: the rows are {self}. Choose layers, such as layers='0-3'.")
        return self.regions

    def _layer_numbers(self, layers: Any) -> list[int]:
        given = layers.tolist() if hasattr(layers, "tolist") else layers
        if isinstance(given, str):
            given = given.split(",")
        elif isinstance(given, Iterable) and not isinstance(given, (bytes, Mapping)):
            given = list(given)
        else:
            given = [given]
        numbers: set[int] = set()
        for item in given:
            found = _layer_range(item)
            if not found or found[0] < 0 or found[-1] >= self.num_layers:
                raise self._no_layers(layers)
            numbers.update(found)
        if not numbers:
            raise self._no_layers(layers)
        return sorted(numbers)

    def _no_layers(self, given: Any) -> InputError:
        return InputError(
            f"layers are numbers from 0 to {self.num_layers - 1} here, such as layers='0-3', '0,2,5-7' or [0, 1], got "
            f"{shown(given)}."
        )

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able description, read back by :meth:`from_dict`."""
        if self.regions is None:
            return {"num_layers": self.num_layers}
        return {"regions": self.regions.to_dict(), "num_base": self.num_base}

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> Rows:
        """The rows of :meth:`to_dict`; the description may come from an untrusted file.

        Raises:
            InputError: it is no such description.
        """
        keys = set(description) if isinstance(description, Mapping) else set()
        for key in keys - set(_KEYS):
            raise unknown_name("key of rows", str(key), _KEYS)
        if keys == {"num_layers"}:
            return cls.of_layers(description["num_layers"])
        if keys == {"regions", "num_base"}:
            return cls.of_regions(RegionScheme.from_dict(description["regions"]), description["num_base"])
        raise InputError(
            f"rows are {{'regions': {{...}}, 'num_base': 2}} or {{'num_layers': 18}}, got {shown(description)}."
        )


def require_layers(layers: Any) -> str:
    """A text that chooses layers of some model, such as "0-3" or "0,2,5-7"; "" for none.

    Raises:
        InputError: it is no such text.
    """
    require_type("layers", layers, str, "a text, such as '0-3' or '0,2,5-7'")
    if len(layers) > _LONGEST_CHOICE:
        raise InputError(
            f"layers are a text of at most {_LONGEST_CHOICE} characters, such as '0-3', got {len(layers)}."
        )
    if layers:
        Rows.of_layers(_MOST).indices(layers=layers)
    return str(layers)


def layers_text(numbers: Iterable[int]) -> str:
    """Numbers of layers as :meth:`Rows.indices` reads them: [0, 1, 2, 5] is "0-2,5"."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _layer_range(item: Any) -> range:
    """The layers that one entry means, such as 3, "3" or "0-3"; empty where it means none."""
    if isinstance(item, Integral) and not isinstance(item, bool):
        return range(int(item), int(item) + 1)
    match = _LAYERS.fullmatch(item.strip()) if isinstance(item, str) else None
    return range(int(match[1]), int(match[2] or match[1]) + 1) if match else range(0)
