"""Measure how good a model's pictures are, how smoothly they follow their codes, and whether edits stay local.

Scores computed without Inception or LPIPS use substitute networks and are labelled stand-in: they compare models with
each other, not with published scores. Several processes started by torchrun share the work.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semanticgan.commands import arguments, measuring
from semanticgan.errors import DataWarning, InputError

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
    measuring.add_metrics_argument(parser, ("fid", "kid", "pr"), "fid,kid,pr")
    data = parser.add_argument_group("data")
    measuring.add_data_arguments(data)
    arguments.add_path(data, "--reconstructions", "reconstructions, matched to --data by file name", "PATH")
    measuring.add_sampling_arguments(parser)
    measuring.add_network_arguments(
        parser, "inception", "lpips-vgg for path lengths, none for other metrics", several=False
    )
    _add_detail_arguments(parser)
    pictures = {"--sheet": "a sheet of the scored pictures", "--plot": "a chart of what edits change, by region"}
    measuring.add_output_arguments(parser, pictures)


def _add_detail_arguments(parser: argparse.ArgumentParser) -> None:
    """What some of the metrics need beside them."""
    parser.add_argument(
        "--paths",
        type=measuring.names,
        default=("w-end",),
        metavar="LIST",
        help="z-full, z-end, w-full, w-end (default: w-end)",
    )
    measuring.add_count_arguments(parser, paths=None, least_paths=1)
    parser.add_argument(
        "--region", action="append", metavar="NAMES", help="regions to measure, comma-separated (default: all)"
    )
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
    arguments.add_count(
        parser, "--num-variations", "variations of each region of a picture, for diversity", 2, 1000, default=8
    )
    measuring.add_batch_argument(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    from semanticgan import extras
    from semanticgan.distributed import device_of_process, joined
    from semanticgan.metrics.evaluate import extras_of, require_known
    from semanticgan.model import choose_device, load

    require_known(args.metrics)
    extras.require(*extras_of(args.metrics), *(["lmdb"] if args.data_kind == "lmdb" else []))
    if args.plot and "locality" not in args.metrics:
        raise InputError("--plot draws the metric locality, which --metrics leaves out. Add it.")
    outputs = measuring.outputs(args, ("sheet", "plot"), (args.data, args.reconstructions))
    device = device_of_process(choose_device(args.device))
    with joined(device) as processes:
        return _run(args, load(args.model, device=device), processes, outputs)


_SAME = ["num_generated", "seeds_from", "truncation", "num_real", "num_edits", "num_variations", "num_paths", "paths"]
_SAME += ["projection_steps", "reconstructions", "cache", "extractor", "distance", "parser", "classifier", "identity"]
_ATTRIBUTES = {
    **dict.fromkeys(("data", "data_kind", "scheme", "split", "data_seed"), "dataset"),
    **{"region": "regions", "projections": "num_projections"},
    **{name: name for name in _SAME},
}
"""Options, and the attributes of an evaluation that they give; others are about speed, files and the sheet."""


def _warn_of_unused(args: argparse.Namespace) -> None:
    """Name each option that was given and has no effect on any of the metrics."""
    import warnings

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


def _run(args: argparse.Namespace, model: Model, processes: Processes, outputs: Mapping[str, Path]) -> dict[str, Any]:
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
    measuring.write_table(args, table, result)
    if args.sheet:
        mark = arguments.mark_of(args, model, "generated" if evaluation.dataset is None else "composite")
        with written_aside(args.sheet, args.overwrite) as aside:
            save_marked(draw_pictures(evaluation, name, data), aside, mark)
    if args.plot:
        with written_aside(args.plot, args.overwrite) as aside:
            draw_localities(locality_of(evaluation)).savefig(aside)
    return {**result, **{option: str(path) for option, path in outputs.items()}}


def _prepare(args: argparse.Namespace, model: Model, processes: Processes) -> Evaluation:
    """What the metrics asked for need, opened; nothing else is."""
    from semanticgan.metrics.opening import NETWORKS, open_evaluation

    _require_weights_used(args)
    evaluation = open_evaluation(
        model,
        args.metrics,
        networks={kind: getattr(args, kind) for kind in NETWORKS},
        weights={"extractor": args.extractor_weights, "distance": args.distance_weights},
        learnt_from=model.metadata.perception,
        **measuring.counts(args, model),
        num_variations=args.num_variations,
        paths=args.paths,
        reconstructions=_open_reconstructions(args, model),
        regions=arguments.region_names(model, args.region) if args.region else (),
        processes=processes,
        progress=True,
    )
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
    from semanticgan.metrics.metric import needs_of

    needs = needs_of(args.metrics)
    for option, given, used in (
        ("--extractor-weights", args.extractor_weights, "extractor" in needs),
        ("--distance-weights", args.distance_weights, args.distance or "distance" in needs),
    ):
        if given and not used:
            raise InputError(f"{option} gives a file that none of the metrics {', '.join(args.metrics)} reads.")
