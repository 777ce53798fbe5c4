"""Compare models or runs on the same data: a table, a sheet of samples, charts of path lengths and of projections.

Scores computed without Inception or LPIPS use substitute networks and are labelled stand-in in the column's head. A
model that learnt from such a network is not judged by it; a note says so and the others are.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semanticgan.commands import arguments, measuring
from semanticgan.errors import InputError

if TYPE_CHECKING:
    from semanticgan.formats.provenance import Mark
    from semanticgan.metrics.comparison import Comparison, Contender

EXAMPLES = (
    "runs/portraits runs/stylegan2 --data data/portraits-64 --num-generated 2000 --cores 1 --out comparison.md",
    "portraits-64 runs/stylegan2 --data-kind portraits --data-seed 1 --extractor attributes --distance attributes "
    "--sheet samples.png --ppl-plot paths.png",
    "runs/a runs/b --data data/faces --projections 40 --projection-plot projections.png --out comparison.json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("models", nargs="+", metavar=arguments.MODEL, help=f"{arguments.MODEL_HELP}; one or more")
    parser.add_argument(
        "--names", type=measuring.names, metavar="LIST", help="what the models are called, comma-separated"
    )
    parser.add_argument(
        "--cores",
        type=_cores,
        metavar="LIST",
        help="cores that trained each model, or all of them, such as 1 or 1,2,1; without them core-hours are those of "
        "the model's file",
    )
    arguments.add_device_argument(parser)
    measuring.add_metrics_argument(parser, None, "those of the table's columns")
    measuring.add_data_arguments(parser.add_argument_group("data"))
    measuring.add_sampling_arguments(parser)
    installed = "lite0 where it is installed"
    measuring.add_network_arguments(
        parser, f"{installed}, and attributes", f"{installed}, else attributes", several=True
    )
    measuring.add_count_arguments(parser, paths=500, least_paths=4)
    parser.add_argument(
        "--path",
        choices=("z-full", "z-end", "w-full", "w-end"),
        default="w-end",
        help="space and sampling of the path lengths",
    )
    measuring.add_batch_argument(parser)
    pictures = {
        "--sheet": "a sheet: a row of real pictures, then a row of samples per model",
        "--ppl-plot": "a chart of path lengths, with the pictures at both ends of each histogram",
        "--projection-plot": "a chart of the distances of --projections",
    }
    measuring.add_output_arguments(parser, pictures)


def run(args: argparse.Namespace) -> dict[str, Any]:
    import torch

    from semanticgan import extras
    from semanticgan.files import written_aside
    from semanticgan.formats.provenance import save_marked
    from semanticgan.metrics import comparison_charts as charts
    from semanticgan.metrics.compare import compare
    from semanticgan.metrics.comparison_table import to_dict, to_markdown
    from semanticgan.metrics.evaluate import extras_of, require_known
    from semanticgan.progress import Progress

    names = _metrics(args)
    require_known(names)
    extras.require(*extras_of(names), *(["lmdb"] if args.data_kind == "lmdb" else []))
    for name, path, more in (
        ("ppl", args.ppl_plot, "ppl to --metrics"),
        ("projection", args.projection_plot, "--projections 40"),
    ):
        if path and name not in names:
            raise InputError(f"--{name}-plot draws what is not measured. Add {more}.")
    outputs = measuring.outputs(args, ("sheet", "ppl_plot", "projection_plot"), (args.data,))
    comparison = _prepare(args, names)
    found = compare(comparison, Progress(bar=True))
    data = str(measuring.data_name(args))
    result = {"data": data, **to_dict(comparison, found)}
    measuring.write_table(args, to_markdown(comparison, found, data, torch.get_num_threads()), result)
    drawn = {
        "sheet": lambda: charts.sample_sheet(comparison, Path(data).name),
        "ppl_plot": lambda: charts.path_chart(comparison, found),
        "projection_plot": lambda: charts.projection_chart(comparison, found),
    }
    for name, path in outputs.items():
        if name != "out":
            mark = _mark(args, comparison.contenders, name)
            with written_aside(path, args.overwrite) as aside:
                save_marked(drawn[name](), aside, mark)
    kept = ("model", "values", "left_out")
    brief = [{name: each[name] for name in kept if name in each} for each in result["models"]]
    return {**result, "models": brief, **{name: str(path) for name, path in outputs.items()}}


def _metrics(args: argparse.Namespace) -> list[str]:
    """Those asked for; else those that are compared, those of regions last."""
    from semanticgan.metrics.metric import METRICS, known_names

    names = list(args.metrics or ())
    if args.metrics is None:
        names = [name for name in known_names() if METRICS[name].compared]
    if args.projections and "projection" not in names:
        names.append("projection")
    return sorted(names, key=lambda name: name in METRICS and METRICS[name].of_regions)


def _prepare(args: argparse.Namespace, names: Sequence[str]) -> Comparison:
    """The models, the data and the networks, opened, and checked before anything is computed."""
    from semanticgan import extras
    from semanticgan.inversion.region_reading import PARSERS
    from semanticgan.metrics.comparison import Comparison, require_comparable, require_one_size
    from semanticgan.metrics.evaluation import Evaluation
    from semanticgan.metrics.opening import networks_of, open_networks

    if measuring.data_kind(args) is None:
        raise InputError("models are compared on data. Add --data PATH, or --data-kind portraits.")
    contenders = _contenders(args)
    require_one_size(contenders)
    model = contenders[0].model
    installed = ["lite0"] if extras.problem("lite0") is None else []
    extractors = list(dict.fromkeys(args.extractor or [*installed, "attributes"]))
    if args.extractor_weights and "inception" not in extractors:
        raise InputError("--extractor-weights gives a file that only --extractor inception reads. Leave it out.")
    distance = args.distance or [*installed, "attributes"][0]
    given = {"extractor": extractors, "distance": [distance], "parser": args.parser or PARSERS}
    weights = {"extractor": args.extractor_weights, "distance": args.distance_weights}
    networks = open_networks(networks_of(names, given), model.device, weights)
    asked = Evaluation(model, paths=[args.path], **measuring.counts(args, model))
    comparison = Comparison(contenders, names, asked, networks)
    require_comparable(comparison)
    return comparison


def _contenders(args: argparse.Namespace) -> list[Contender]:
    """Raises: InputError: a model that cannot be opened, one twice, or names or cores of another number."""
    from semanticgan.metrics.comparison import Contender
    from semanticgan.metrics.training_facts import training_facts
    from semanticgan.model import load

    given: list[str] = args.models
    short = [Path(name).stem if name.endswith(".safetensors") else Path(name).name for name in given]
    names = args.names or (short if len(set(short)) == len(given) else given)
    cores = args.cores if args.cores and len(args.cores) > 1 else (args.cores or [None]) * len(given)
    for what, some in (("--names", names), ("--cores", cores)):
        if len(some) != len(given):
            raise InputError(f"{what} gives {len(some)} for {len(given)} models. Give one for each, in their order.")
    if len(set(given)) < len(given):
        raise InputError("a model is given twice. Give each once.")
    contenders = []
    for text, name, number in zip(given, names, cores, strict=True):
        model = load(text, device=args.device)
        contenders.append(Contender(name, model, training_facts(text, model.metadata, number)))
    return contenders


def _mark(args: argparse.Namespace, contenders: Sequence[Contender], output: str) -> Mark | None:
    """That of the sheet, which shows real pictures, too, or of a chart with generated ones; else None."""
    from semanticgan.formats.provenance import Mark

    if not args.mark or output == "projection_plot":
        return None
    models = "; ".join(each.model.metadata.description for each in contenders)
    return Mark("composite" if output == "sheet" else "generated", models)


def _cores(text: str) -> list[int]:
    return [arguments.at_least(1, 1_000_000)(part) for part in text.split(",")]
