"""The state of an optimiser for grown networks: old parameters keep their running means, new ones have none.

Adam divides the running means of a parameter by 1 - beta^t, t its own count of steps. A new parameter begins without a
state, so that its t begins at 0 and its means are unbiased from the first step on.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn
from torch.optim import Optimizer

from semanticgan.errors import InputError
from semanticgan.surgery.growth import origins

Networks = Mapping[str, nn.Module]


def parameter_names(optimiser: Optimizer, networks: Networks) -> list[str]:
    """The names of an optimiser's parameters in its order, such as "generator.local.fourier_weight".

    Args:
        optimiser: of parameters of these networks.
        networks: by name.
    """
    names = {id(p): name for network, module in networks.items() for name, p in module.named_parameters(network)}
    return [names[id(parameter)] for group in optimiser.param_groups for parameter in group["params"]]


def grow_optimiser_state(
    state: Mapping[str, Any], names: Sequence[str], optimiser: Optimizer, start: Networks, grown: Networks
) -> dict[str, Any]:
    """What the optimiser of grown networks takes with ``load_state_dict``: its own rates, the start's running means.

    Args:
        state: ``state_dict()`` of the start's optimiser.
        names: the start's parameters in the order of its optimiser, as :func:`parameter_names` gives them.
        optimiser: of the grown networks; stays as it is.
        start: networks of the start by name, those that the optimiser holds.
        grown: what was made of them, by the same names.

    Raises:
        InputError: another number of names than of parameters, or a running mean of another shape than its parameter.
    """
    indices = [index for group in state["param_groups"] for index in group["params"]]
    if len(indices) != len(names):
        raise InputError(
            f"the optimiser of the start has {len(indices)} parameters, got {len(names)} names. Give one for each."
        )
    theirs = dict(zip(names, indices, strict=True))
    kept = {
        f"{network}.{name}": theirs.get(f"{network}.{origin}")
        for network in grown.keys() & start.keys()
        for name, origin in origins(start[network], grown[network]).items()
    }
    own = optimiser.state_dict()["param_groups"]
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    found = {}
    for index, name in enumerate(parameter_names(optimiser, grown)):  # a state counts parameters over all groups
        values = state["state"].get(kept.get(name))
        if values is None:
            continue
        if any(value.ndim and value.shape != parameters[index].shape for value in values.values()):
            raise InputError(f"a running mean of the start has another shape than {name!r}. Grow this very start.")
        found[index] = copy.deepcopy(values)
    return {"state": found, "param_groups": own}
