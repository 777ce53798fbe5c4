"""The training of a StyleFlow (arXiv 2008.02401) on a model's codes and the attributes of their pictures.

    z, l = flow(w, a)
    loss = -mean log p(w | a) = mean (l - log N(z; 0, 1))

The codes are w of consecutive seeds. Every row of such a code is w, and the flow transforms rows one by one, so one row
per code is trained on; the trained flow transforms all rows.

Shape legend: N codes, D style width, C attributes, B blocks.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from semanticgan import extras
from semanticgan.data.batches import batch_indices
from semanticgan.data.pairs import content_key
from semanticgan.directions.flow_files import Condition, LoadedFlow, save_flow
from semanticgan.directions.flow_networks import MovingNorm, Solver
from semanticgan.directions.labelled_codes import LabelledCodes
from semanticgan.directions.styleflow import StyleFlow, log_likelihood
from semanticgan.distributed import Processes
from semanticgan.errors import InputError, TrainingDiverged
from semanticgan.model import Model, load
from semanticgan.perception.classifier import load_classifier
from semanticgan.perception.judges import network_name
from semanticgan.seeds import derived
from semanticgan.training.draws import Draws, stream_of
from semanticgan.training.method import Average, Batch, Method, Phase, Prepared, Stage, Values, register
from semanticgan.training.methods.styleflow_config import StyleFlowTrainingConfig
from semanticgan.training.optimisers import adam

_SHEET_CODES = 4


class StyleFlowMethod(Method):
    """A flow and its average.

    Args:
        config: the configuration.
        model: whose codes are transformed; it does not learn.
        device: where to train.
        processes: those that share each batch.

    Raises:
        InputError: no attributes, or one that the classifier does not know.
    """

    config: StyleFlowTrainingConfig

    def __init__(
        self, config: StyleFlowTrainingConfig, model: Model, device: torch.device, processes: Processes
    ) -> None:
        self.config, self.model, self.device, self.processes = config, model, device, processes
        given = config.codes
        if not given.attributes:
            raise InputError("no attributes given. Add codes.attributes=[smile,age], names that the classifier knows.")
        classifier = load_classifier(given.classifier, device)
        self.attributes = tuple(Condition(name, *classifier.ends(name)) for name in given.attributes)
        self.codes = LabelledCodes(model, classifier, given.attributes, given.first_seed, given.count)
        self.data_key = content_key(["codes", list(given.attributes), given.first_seed, given.count])
        self.origin = {"model": model.metadata.digest, "classifier": network_name("classifier", given.classifier)}
        self.schedule = {0: Stage("all", config.batch, model.size)}
        with torch.random.fork_rng(devices=[]):  # networks draw their first weights from the global stream
            torch.manual_seed(derived(config.seed, 0, stream_of("weights")))
            sizes = (model.config.style_dim, len(self.attributes), config.flow.hidden, config.flow.num_blocks)
            flow = StyleFlow(*sizes).to(device)
        flow.solver = Solver(adjoint=config.flow.adjoint)
        self.flow, self.average = flow, copy.deepcopy(flow).eval().requires_grad_(False)
        self.networks = {"flow": flow, "average": self.average}
        self.optimisers = {"flow": adam({flow: 1.0}, config.optimiser, device)}

    def stage(self, images: int) -> Stage:
        share, start = images / self.config.schedule.total_images, self.config.decay_from
        rate = 1.0 if share <= start else max(0.0, (1.0 - share) / (1.0 - start))
        return Stage("all", self.config.batch, self.model.size, rate=rate)

    def batches(self, stage: Stage, images: int, positions: Sequence[int]) -> Iterator[Batch]:
        """w [N, D] and conditions [N, C]."""
        step = images // stage.batch
        while True:
            indices = batch_indices(step, stage.batch, len(self.codes), self.config.seed)
            codes, values = self.codes[[indices[position] for position in positions]]
            yield codes.to(self.device), self._loaded({}).conditions(values).to(self.device)
            step += 1

    def phases(self, stage: Stage) -> Sequence[Phase]:
        return [Phase("flow", ("flow",), self._loss)]

    def _loss(self, batch: Batch, draws: Draws) -> tuple[Tensor, Values]:
        codes, conditions = batch
        rows = codes[:, None]  # [N, 1, D]
        probes = draws.direction(rows[:, None].expand(-1, self.flow.num_blocks, -1, -1))
        try:
            loss = -log_likelihood(self.flow(rows, conditions, None, probes)).mean()
        except InputError as error:
            raise TrainingDiverged(f"training diverged: {error}") from error
        return loss, {"loss/flow": loss / codes.shape[1]}  # nats per number

    def averages(self, stage: Stage) -> Sequence[Average]:
        return [Average(self.flow, self.average, self.config.ema.half_life, self.config.ema.ramp_up)]

    def finish_step(self, step: int) -> Values:
        for norm, averaged in zip(self.flow.norms, self.average.norms, strict=True):
            assert isinstance(norm, MovingNorm)
            norm.fold(self.processes.sum)
            for own, value in zip(averaged.buffers(), norm.buffers(), strict=True):
                own.copy_(value)
        return {}

    def facts(self) -> Mapping[str, str]:
        return {**super().facts(), "the model": self.origin["model"]}

    def state(self) -> dict[str, Any]:
        return {**self.origin, "codes": self.codes.state()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        for name, own in self.origin.items():
            if state[name] != own:
                given = self.config.model if name == "model" else self.config.codes.classifier
                raise InputError(f"the run was begun with another {name} than {given!r}. Give the same {name}.")
        self.codes.load_state(state["codes"])

    @torch.no_grad()
    def preview(self) -> np.ndarray:
        """One row per code: its picture, then each attribute at the end that it is further from."""
        codes, values = self.codes[range(min(_SHEET_CODES, len(self.codes)))]
        loaded = self._loaded({})
        rows = []
        for w, value in zip(codes, values, strict=True):
            code, old = self.model.code(w), value[None]
            shown = [code.tensor]
            for attribute, number in zip(self.attributes, value.tolist(), strict=True):
                other = attribute.high if 2 * number < attribute.low + attribute.high else attribute.low
                shown.append(loaded.edit(code, old, loaded.changed(old, {attribute.name: other})).tensor)
            rows.append(torch.cat(list(self.model.render(torch.cat(shown)).image), dim=2))
        sheet = torch.cat(rows, dim=1)  # [3, N S, (1 + C) S]
        return ((sheet.clamp(-1, 1) + 1.0) * 127.5).round().byte().movedim(0, 2).cpu().numpy()

    def export(self, path: Path, images: int) -> None:
        codes = self.config.codes
        of_codes = {"codes": codes.count, "first_seed": codes.first_seed, "perception": [self.origin["classifier"]]}
        save_flow(path, self._loaded(self.figures(images) | of_codes))

    def _loaded(self, training: Mapping[str, Any]) -> LoadedFlow:
        config = self.config
        origin = {"name": config.model, "digest": self.origin["model"]}
        about = (config.licence, config.data_licence, config.description)
        return LoadedFlow(self.average, self.attributes, self.model.rows, origin, training, *about)


def prepare(config: StyleFlowTrainingConfig) -> Prepared:
    """The method opens the model and the classifier."""
    extras.require("flow")
    return config, lambda device, processes: StyleFlowMethod(config, load(config.model, device), device, processes)


register(StyleFlowTrainingConfig, prepare)
