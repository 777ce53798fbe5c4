"""Measure how good a model's pictures are, how smoothly they follow their codes, and whether edits stay local.

Scores computed without Inception or LPIPS use substitute networks and are labelled stand-in: they compare models with
each other, not with published scores. Several processes started by torchrun share the work.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from semanticgan.commands import arguments, measuring

if TYPE_CHECKING:
    from semanticgan.data.pairs import PairDataset
    from semanticgan.distributed import Processes
    from semanticgan.metrics.evaluation import Evaluation
    from semanticgan.model import Model

EXAMPLES = (
    "--metrics fid,kid,pr,ppl --data-kind portraits --num-generated 5000 --extractor random --distance random",
    "--metrics miou,locality,diversity --parser portraits-64 --num-generated 1000 --plot locality.png",
    "--metrics fid,is --data data/faces --num-generated 50000 --extractor inception --out scores.md",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_model_arguments(parser)
    parser.add_argument(
        "--metrics",
        type=measuring.names,
        default=("fid", "kid", "pr"),
        metavar="LIST",
        help="fid, kid, is, pr, ppl, ppl-regions, miou, attributes, locality, ownership, diversity, reconstruction, "
        "identity, comma-separated (default: fid,kid,pr)",
    )
    data = parser.add_argument_group("data")
    measuring.add_data_arguments(data)
    data.add_argument(
        "--reconstructions",
        type=arguments.path,
        metavar="PATH",
        help="reconstructions, matched to --data by file name",
    )
    _add_picture_arguments(parser)
    _add_detail_arguments(parser)
    parser.add_argument(
        "--out",
        type=arguments.path,
        metavar="FILE",
        help="file of the numbers: .md for a table, or .json (default: the table goes to stderr)",
    )
    parser.add_argument(
        "--sheet", type=arguments.path, metavar="FILE", help="also write a sheet of the scored pictures"
    )
    parser.add_argument(
        "--plot", type=arguments.path, metavar="FILE", help="also write a chart of what edits change, by region"
    )
    arguments.add_mark_argument(parser)
    arguments.add_overwrite_argument(parser)


def _add_picture_arguments(parser: argparse.ArgumentParser) -> None:
    """Which pictures are measured, and what compares them."""
    measuring.add_sampling_arguments(parser)
    parser.add_argument(
        "--extractor",
        default="inception",
        help="feature extractor: inception, lite0, attributes, random or discriminator:RUN_OR_MODEL "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--distance",
        help="lpips-vgg, lpips-alex, lite0, attributes, random or discriminator:RUN_OR_MODEL; perceptual "
        "distance (default: lpips-vgg for path lengths, none for other metrics)",
    )
    measuring.add_weights_arguments(parser)


def _add_detail_arguments(parser: argparse.ArgumentParser) -> None:
    """What some of the metrics need beside them."""
    parser.add_argument(
        "--paths",
        type=measuring.names,
        default=("w-end",),
        metavar="LIST",
        help="z-full, z-end, w-full, w-end (default: w-end)",
    )
    parser.add_argument(
        "--num-paths",
        type=arguments.at_least(1, arguments.MOST),
        metavar="N",
        help="number of paths of a path length (default: --num-generated)",
    )
    parser.add_argument(
        "--region", action="append", metavar="NAMES", help="regions to measure, comma-separated (default: all)"
    )
    parser.add_argument("--parser", metavar="NAME_OR_PATH", help=arguments.PARSER_HELP)
    parser.add_argument(
        "--classifier",
        metavar="NAME_OR_PATH",
        help="attribute classifier, a file written by train-classifier (default: the bundled one)",
    )
    parser.add_argument(
        "--identity",
        metavar="NAME",
        help="what tells people apart: face-api, facenet, or NAME:FILE with its weights (default: face-api)",
    )
    parser.add_argument(
        "--num-edits",
        type=arguments.at_least(1, arguments.MOST),
        default=100,
        help="number of pictures whose regions are edited, for locality and diversity (default: %(default)s)",
    )
    parser.add_argument(
        "--num-variations",
        type=arguments.at_least(2, 1000),
        default=8,
        help="variations of each region of a picture, for diversity (default: %(default)s)",
    )
    measuring.add_batch_argument(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    from semanticgan import extras
    from semanticgan.distributed import device_of_process, joined
    from semanticgan.editing.outputs import require_suffix
    from semanticgan.errors import InputError
    from semanticgan.files import require_free
    from semanticgan.metrics.evaluate import extras_of, require_known
    from semanticgan.model import choose_device, load
    from semanticgan.places import require_outside

    require_known(args.metrics)
    extras.require(*extras_of(args.metrics), *(["lmdb"] if args.data_kind == "lmdb" else []))
    if args.out and args.out.suffix not in (".md", ".json"):
        raise InputError(f"--out {str(args.out)!r} ends in {args.out.suffix!r}. Use .md for a table or .json.")
    if args.plot and "locality" not in args.metrics:
        raise InputError("--plot draws the metric locality, which --metrics leaves out. Add it.")
    for path in filter(None, (args.sheet, args.plot)):
        require_suffix(path, (".png", ".jpg"))
    paths = [path for path in (args.out, args.sheet, args.plot) if path]
    if len(set(paths)) < len(paths):
        raise InputError("--out, --sheet and --plot name one file twice. Give each its own.")
    for path in paths:
        require_free(path, args.overwrite)
    for path in filter(None, (args.sheet, args.plot)):  # they would be pictures of the data next time
        for source in filter(None, (args.data, args.reconstructions)):
            require_outside(path, source)
    device = device_of_process(choose_device(args.device))
    with joined(device) as processes:
        return _run(args, load(args.model, device=device), processes)


_NETWORKS = ("extractor", "extractor_weights", "distance", "distance_weights", "parser", "classifier", "identity")
_NUMBERS = ("num_generated", "seeds_from", "truncation", "num_real", "num_edits", "num_variations", "num_paths")
_OTHERS = ("paths", "reconstructions", "cache", "extractor", "distance", "parser", "classifier", "identity")
_ATTRIBUTES = {
    **dict.fromkeys(("data", "data_kind", "scheme", "split", "data_seed"), "dataset"),
    "region": "regions",
    **{name: name for name in (*_NUMBERS, *_OTHERS)},
}
"""Options, and the attributes of an evaluation that they give; others are about speed, files and the sheet."""


def _warn_of_unused(args: argparse.Namespace) -> None:
    """Name each option that was given and has no effect on any of the metrics."""
    import warnings

    from semanticgan.errors import DataWarning
    from semanticgan.metrics.metric import used_by

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    given = [name for name in _ATTRIBUTES if getattr(args, name) != parser.get_default(name)]
    for name in given:
        option, kind = f"--{name.replace('_', '-')}", measuring.data_kind(args)
        users = used_by(_ATTRIBUTES[name])
        shown = args.sheet and name in ("data", "data_kind", "scheme", "split", "data_seed", "num_real", "truncation")
        if not set(users) & set(args.metrics) and not shown:
            reason = f"none of the metrics {', '.join(args.metrics)} uses it, only {', '.join(users)}"
        elif kind is None and name in ("scheme", "split", "data_seed", "num_real"):
            reason = "no data are given"
        elif (name == "data_seed" and kind != "portraits") or (name == "scheme" and kind == "pictures"):
            reason = f"data of the kind {kind} have none"
        else:
            continue
        warnings.warn(f"{option} has no effect: {reason}.", DataWarning, stacklevel=2)


def _run(args: argparse.Namespace, model: Model, processes: Processes) -> dict[str, Any]:
    from semanticgan.files import written_aside
    from semanticgan.formats.provenance import save_marked
    from semanticgan.metrics.evaluate import evaluate, to_dict
    from semanticgan.metrics.locality import locality_of
    from semanticgan.metrics.locality_plot import draw_localities
    from semanticgan.metrics.sheet import draw_pictures
    from semanticgan.metrics.table import to_markdown
    from semanticgan.registry import DEFAULT

    evaluation = _prepare(args, model, processes)
    found = evaluate(evaluation, args.metrics)
    if not processes.is_first:
        return {}
    name, data = args.model or DEFAULT, measuring.data_name(args)
    result = {"model": name, "data": data, **to_dict(evaluation, found)}
    table = to_markdown(evaluation, found, name, data)
    if args.out is None:
        sys.stderr.write(table)
    else:
        with written_aside(args.out, args.overwrite) as aside:
            content = table if args.out.suffix == ".md" else json.dumps(result, indent=1) + "\n"
            aside.write_text(content, encoding="utf-8")
        result["out"] = str(args.out)
    if args.sheet:
        mark = arguments.mark_of(args, model, "generated" if evaluation.dataset is None else "composite")
        with written_aside(args.sheet, args.overwrite) as aside:
            save_marked(draw_pictures(evaluation, name, data), aside, mark)
        result["sheet"] = str(args.sheet)
    if args.plot:
        with written_aside(args.plot, args.overwrite) as aside:
            draw_localities(locality_of(evaluation)).savefig(aside)
        result["plot"] = str(args.plot)
    return result


def _prepare(args: argparse.Namespace, model: Model, processes: Processes) -> Evaluation:
    """What the metrics asked for need, opened; nothing else is."""
    from semanticgan.metrics.evaluate import require_measurable
    from semanticgan.metrics.evaluation import Evaluation
    from semanticgan.metrics.opening import open_networks
    from semanticgan.metrics.statistics import FeatureCache
    from semanticgan.registry import cache_folder

    dataset, reconstructions = measuring.open_data(args, model), _open_reconstructions(args, model)
    _require_weights_used(args)
    numbers = {name: getattr(args, name) for name in _NUMBERS}
    networks = {name: getattr(args, name) for name in _NETWORKS}
    evaluation = Evaluation(
        model,
        **numbers,
        paths=args.paths,
        dataset=dataset,
        reconstructions=reconstructions,
        regions=arguments.region_names(model, args.region) if args.region else (),
        cache=FeatureCache(args.cache or cache_folder() / "features", best_effort=args.cache is None),
        batch_size=args.batch,
        workers=args.workers,
        processes=processes,
        progress=True,
        **open_networks(args.metrics, model.device, learnt_from=model.metadata.perception, **networks),
    )
    require_measurable(evaluation, args.metrics)
    if processes.is_first:
        _warn_of_unused(args)
    return evaluation


def _open_reconstructions(args: argparse.Namespace, model: Model) -> PairDataset | None:
    from semanticgan.data import open_dataset

    if args.reconstructions is None:
        return None
    scheme = measuring.scheme_of_pictures(model)
    return open_dataset("pictures", args.reconstructions, model.size, scheme, max_megapixels=args.max_megapixels)


def _require_weights_used(args: argparse.Namespace) -> None:
    """Raises: InputError: a file of weights is given that no metric reads."""
    from semanticgan.errors import InputError
    from semanticgan.metrics.metric import METRICS

    needs = {need for name in args.metrics for need in METRICS[name].needs}
    for option, given, used in (
        ("--extractor-weights", args.extractor_weights, "extractor" in needs),
        ("--distance-weights", args.distance_weights, args.distance or "distance" in needs),
    ):
        if given and not used:
            raise InputError(f"{option} gives a file that none of the metrics {', '.join(args.metrics)} reads.")
