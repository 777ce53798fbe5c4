"""Metrics of the averaged generator while it trains, by the names under which ``evaluate`` prints them."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

from semanticgan.distributed import ALONE, Processes
from semanticgan.errors import InputError
from semanticgan.runs.contents import FEATURES_FOLDER
from semanticgan.training.method import Method
from semanticgan.training.sections import CommonConfig

PREFIX = "metric/"
_KEYS = {"parser": "metrics.parser=portraits-64", "reconstructions": "reconstructions, which a training has not"}


class Scoring:
    """Measures a training's average generator against the data that it is trained on.

    Args:
        config: whose section ``metrics`` says what.
        method: whose average is measured, against its data, unflipped.
        processes: that share the work.

    Raises:
        InputError: a metric that is unknown or needs what is not there, such as Inception's weights; said before the
            training begins.
    """

    def __init__(self, config: CommonConfig, method: Method, processes: Processes = ALONE) -> None:
        from semanticgan.metrics.opening import open_evaluation
        from semanticgan.metrics.statistics import FeatureCache

        wanted, found = config.metrics, method.measured()
        if found is None:
            raise InputError(f"method {config.method!r} has nothing to measure. Leave out metrics.names.")
        model, dataset = found
        if wanted.every % config.schedule.log_every:
            raise InputError(
                f"metrics.every is {wanted.every} steps, which lines of the log every {config.schedule.log_every} do "
                "not meet. Give a multiple of schedule.log_every."
            )
        self._names = tuple(wanted.names)
        self._evaluation = open_evaluation(
            model,
            self._names,
            wanted.num_generated,
            {"extractor": wanted.extractor, "distance": wanted.distance, "parser": wanted.parser},
            options=_KEYS,
            dataset=dataset,
            num_real=wanted.num_real,
            num_edits=wanted.num_edits,
            cache=FeatureCache(Path(config.run_dir or "") / FEATURES_FOLDER),
            batch_size=wanted.batch,
            workers=config.data.workers,
            processes=processes,
        )

    def measure(self) -> dict[str, float]:
        """Name of each finite number, such as "metric/fid" or "metric/pr/recall", and the number."""
        from semanticgan.metrics.evaluate import evaluate

        found = evaluate(dataclasses.replace(self._evaluation), self._names)  # a new one: the model has moved on
        return {
            PREFIX + (name if name == called else f"{called}/{name}").replace(" ", "_"): float(value)
            for metric, measured in found.items()
            for called in (measured.name or metric,)
            for name, value in measured.values.items()
            if value is not None and math.isfinite(value)
        }
