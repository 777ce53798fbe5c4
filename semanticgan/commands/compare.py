"""Compare models or runs on the same data: a table, a sheet of samples, charts of path lengths and of projections.

Scores computed without Inception or LPIPS use substitute networks and are labelled stand-in in the column's head. A
model that learnt from such a network is not judged by it; a note says so and the others are.
"""

from __future__ import annotations

import argparse
import json
import sys
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
    measuring.add_data_arguments(parser.add_argument_group("data"))
    measuring.add_sampling_arguments(parser)
    _add_network_arguments(parser)
    _add_count_arguments(parser)
    measuring.add_batch_argument(parser)
    parser.add_argument(
        "--out",
        type=arguments.path,
        metavar="FILE",
        help="file of the figures: .md for a table, or .json (default: the table goes to stderr)",
    )
    for option, text in (
        ("--sheet", "also write a sheet: a row of real pictures, then a row of samples per model"),
        ("--ppl-plot", "also write a chart of path lengths, with the pictures at both ends of each histogram"),
        ("--projection-plot", "also write a chart of the distances of --projections"),
    ):
        parser.add_argument(option, type=arguments.path, metavar="FILE", help=text)
    arguments.add_mark_argument(parser)
    arguments.add_overwrite_argument(parser)


def _add_network_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--extractor",
        action="append",
        metavar="NAME",
        help="feature extractor: inception, lite0, attributes, random or discriminator:RUN_OR_MODEL; may be repeated "
        "(default: lite0 where it is installed, and attributes)",
    )
    parser.add_argument(
        "--distance",
        metavar="NAME",
        help="perceptual distance of path lengths and projections: lpips-vgg, lpips-alex, lite0, attributes, random or "
        "discriminator:RUN_OR_MODEL (default: lite0 where it is installed, else attributes)",
    )
    measuring.add_weights_arguments(parser)
    parser.add_argument(
        "--parser",
        action="append",
        metavar="NAME_OR_PATH",
        help=f"{arguments.PARSER_HELP}; may be repeated (default: the bundled ones)",
    )


def _add_count_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--num-paths", type=arguments.at_least(4, arguments.MOST), default=500, metavar="N", help="paths of each model"
    )
    parser.add_argument(
        "--path",
        choices=("z-full", "z-end", "w-full", "w-end"),
        default="w-end",
        help="space and sampling of the path lengths (default: %(default)s)",
    )
    parser.add_argument(
        "--num-edits",
        type=arguments.at_least(1, arguments.MOST),
        default=100,
        metavar="N",
        help="pictures in which each region is edited, for locality",
    )
    parser.add_argument(
        "--projections",
        type=arguments.at_least(0, 100_000),
        default=0,
        metavar="N",
        help="project so many pictures of each model, and of the data, into w; a few dozen (default: none)",
    )
    parser.add_argument(
        "--projection-steps", type=arguments.at_least(1, 100_000), default=200, metavar="N", help="of each projection"
    )


def run(args: argparse.Namespace) -> dict[str, Any]:
    import torch

    from semanticgan import extras
    from semanticgan.files import written_aside
    from semanticgan.formats.provenance import save_marked
    from semanticgan.metrics import comparison_charts as charts
    from semanticgan.metrics.compare import compare
    from semanticgan.metrics.comparison_table import to_dict, to_markdown
    from semanticgan.progress import Progress

    extras.require("fidelity", *(["lmdb"] if args.data_kind == "lmdb" else []))
    outputs = _outputs(args)
    comparison = _prepare(args)
    found = compare(comparison, Progress(bar=True))
    data = str(measuring.data_name(args))
    table = to_markdown(comparison, found, data, torch.get_num_threads())
    result = {"data": data, **to_dict(comparison, found)}
    if args.out is None:
        sys.stderr.write(table)
    else:
        with written_aside(args.out, args.overwrite) as aside:
            content = table if args.out.suffix == ".md" else json.dumps(result, indent=1) + "\n"
            aside.write_text(content, encoding="utf-8")
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


def _outputs(args: argparse.Namespace) -> dict[str, Path]:
    """The files to write, all of them free.

    Raises:
        InputError: one that may not be written, two of one name, or a chart of what is not measured.
    """
    from semanticgan.editing.outputs import require_suffix
    from semanticgan.files import require_free
    from semanticgan.places import require_outside

    if args.projection_plot and not args.projections:
        raise InputError("--projection-plot draws the distances of --projections. Add --projections 40.")
    if args.out and args.out.suffix not in (".md", ".json"):
        raise InputError(f"--out {str(args.out)!r} ends in {args.out.suffix!r}. Use .md for a table or .json.")
    names = ("out", "sheet", "ppl_plot", "projection_plot")
    outputs = {name: getattr(args, name) for name in names if getattr(args, name)}
    if len(set(outputs.values())) < len(outputs):
        raise InputError("--out, --sheet, --ppl-plot and --projection-plot name one file twice. Give each its own.")
    for name, path in outputs.items():
        require_free(path if name == "out" else require_suffix(path, (".png", ".jpg")), args.overwrite)
        if name != "out" and args.data:  # it would be a picture of the data next time
            require_outside(path, args.data)
    return outputs


def _prepare(args: argparse.Namespace) -> Comparison:
    """The models, the data and the networks, opened, and checked before anything is computed."""
    from semanticgan import extras
    from semanticgan.inversion.region_reading import PARSERS
    from semanticgan.metrics.comparison import Comparison, require_comparable, require_one_size
    from semanticgan.metrics.statistics import FeatureCache
    from semanticgan.perception.extractors import open_extractor
    from semanticgan.perception.parser import load_parser
    from semanticgan.perception.perceptual import open_distance
    from semanticgan.registry import cache_folder

    if measuring.data_kind(args) is None:
        raise InputError("models are compared on data. Add --data PATH, or --data-kind portraits.")
    contenders = _contenders(args)
    require_one_size(contenders)
    model = contenders[0].model
    installed = ["lite0"] if extras.problem("lite0") is None else []
    extractors = list(dict.fromkeys(args.extractor or [*installed, "attributes"]))
    distance = args.distance or [*installed, "attributes"][0]
    weights = {"inception": args.extractor_weights}
    if args.extractor_weights and "inception" not in extractors:
        raise InputError("--extractor-weights gives a file that only --extractor inception reads. Leave it out.")
    dataset = measuring.open_data(args, model)
    assert dataset is not None
    counts = ("num_generated", "num_real", "seeds_from", "truncation", "num_paths", "path", "num_edits", "workers")
    comparison = Comparison(
        contenders,
        dataset,
        {name: open_extractor(name, weights.get(name), model.device) for name in extractors},
        (distance, open_distance(distance, args.distance_weights, model.device)),
        {name: load_parser(name, model.device) for name in args.parser or PARSERS},
        **{name: getattr(args, name) for name in counts},
        num_projections=args.projections,
        projection_steps=args.projection_steps,
        cache=FeatureCache(args.cache or cache_folder() / "features", best_effort=args.cache is None),
        batch_size=args.batch,
    )
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
