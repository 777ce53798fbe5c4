"""The models of the studio by name: each is loaded when it is first used, and only a few stay in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from semanticgan.errors import InputError
from semanticgan.model import Model, load
from semanticgan.studio.store import NotThere

AT_MOST_LOADED = 2


class Models:
    """Models by name.

    Args:
        given: names and paths, as :func:`semanticgan.load` takes them; the first is the default. A path is shown as the
            name of its file, without its folder.
        device: where they compute.
        at_most: how many stay in memory; the one used longest ago goes first.

    Raises:
        InputError: none, or two of the same name.
    """

    def __init__(self, given: Sequence[str | Path], device: str = "auto", at_most: int = AT_MOST_LOADED) -> None:
        self._places: dict[str, str | Path] = {}
        for place in given:
            name = Path(place).stem if str(place).endswith(".safetensors") else Path(place).name
            if name in self._places:
                raise InputError(f"two models are named {name!r}. Rename one of the files, or leave one out.")
            self._places[name] = place
        if not self._places:
            raise InputError("the studio needs at least one model. Give --model NAME_OR_PATH.")
        self.device, self.at_most = device, at_most
        self._loaded: OrderedDict[str, Model] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._places)

    def name_of(self, given: Any) -> str:
        """The name that a request gives; None is the default.

        Raises:
            NotThere: no model has it.
        """
        if given is None:
            return self.names[0]
        if not isinstance(given, str) or given not in self._places:
            raise NotThere(f"the studio has no such model. Choose one of {', '.join(self.names)}.")
        return given

    def holds(self, model: Model) -> bool:
        """Whether a model is in memory here."""
        with self._lock:
            return any(loaded is model for loaded in self._loaded.values())

    def get(self, name: str) -> Model:
        """The model of a name of :meth:`name_of`, loaded where it is not.

        Raises:
            InputError: its file cannot be used.
        """
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = load(self._places[name], device=self.device)
            self._loaded.move_to_end(name)
            while len(self._loaded) > self.at_most:
                self._loaded.popitem(last=False)
            return self._loaded[name]
