"""How good, how diverse, how smooth and how local: one file a metric, which registers itself.

Pictures (``samples``) become features (``statistics``), features become numbers (``fid``, ``kid``, ``inception_score``,
``precision_recall``); codes become a ``path_length``, by a perceptual distance. ``evaluate`` runs several at once,
``table`` shows them. A metric is a function from :class:`semanticgan.metrics.evaluation.Evaluation` to
:class:`semanticgan.metrics.metric.Measured`; every file of this folder is imported here, so that it is known.
"""

import importlib
import pkgutil


def _import_files() -> None:
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        importlib.import_module(f"{__name__}.{name}")


_import_files()
