"""Codes of a model with the attributes of their pictures, as a classifier reads them.

Code i is that of seed first_seed + i. Its label is a function of the code alone: pictures are rendered one by one, and
a classifier's reading does not depend on the other pictures. So labels may be made when they are first asked for, in
any order.

Shape legend: N codes asked for, M codes in all, D style width, C attributes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from semanticgan.model import Model
from semanticgan.perception.classifier import AttributeClassifier
from semanticgan.seeds import following


class LabelledCodes:
    """Codes and labels, made once each and kept.

    Args:
        model: that draws the codes and renders them.
        classifier: reads the pictures.
        names: of the attributes, as :meth:`AttributeClassifier.ends` takes them.
        first_seed: of the codes.
        count: M.

    Raises:
        InputError: an attribute that the classifier does not know.
    """

    def __init__(
        self, model: Model, classifier: AttributeClassifier, names: Sequence[str], first_seed: int, count: int
    ) -> None:
        self.model, self.classifier, self.names, self.first_seed = model, classifier, tuple(names), first_seed
        for name in names:
            classifier.ends(name)
        self._codes = torch.zeros(count, model.config.style_dim)
        self._values = torch.zeros(count, len(self.names))
        self._known = torch.zeros(count, dtype=torch.bool)

    def __len__(self) -> int:
        """M."""
        return len(self._known)

    def __getitem__(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """w [N, D] and values [N, C] in the classifier's units, float32 on the CPU.

        Every row of a sampled code is w, so one row says all.
        """
        chosen = torch.tensor(list(indices), dtype=torch.long)
        missing = chosen[~self._known[chosen]].unique()
        if len(missing):
            code = self.model.sample(seeds=[following(self.first_seed, index) for index in missing.tolist()])
            self._codes[missing] = code.tensor[:, 0].to(self._codes)
            pictures = self.model.render(code, batch_size=1).to_uint8()  # one by one
            self._values[missing] = self.classifier.values(pictures, self.names)
            self._known[missing] = True
        return self._codes[chosen], self._values[chosen]

    def state(self) -> dict[str, Tensor]:
        """What is known so far, so that it need not be made again."""
        return {"codes": self._codes, "values": self._values, "known": self._known}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from :meth:`state`."""
        for own, name in ((self._codes, "codes"), (self._values, "values"), (self._known, "known")):
            own.copy_(state[name])
