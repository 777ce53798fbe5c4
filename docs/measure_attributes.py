"""Measures what attribute edits reach and what they change besides: curves and table of docs/attributes.md.

python docs/measure_attributes.py --flow runs/flow --layered runs/stylegan2 --layered-flow runs/flow-stylegan2 \
    --scores scores --curves docs/attribute_curves.json --plot docs/images/attributes.png --out attributes.md

Systems that --curves has already are not measured again; measured ones are added to it.

Six attributes, 500 plain samples each that no direction was fitted on, strengths from weak to strong. Systems:
InterFaceGAN and StyleFlow on ours, moving only the rows that the attribute depends on ("by regions") or all rows, and
on a StyleGAN2 of the same portraits. Directions on all rows are fitted on plain samples (``--num``).

success    share of the pictures without the attribute that have it after the edit, by the classifier "attributes-64",
           which has labelled nothing; of age, years above 50
others     mean share of the other attributes' verdicts that change
outside    mean absolute change in levels of 255 outside the attribute's regions, which one parser reads in the pictures
           of all systems, before and after, with a feather
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import Tensor

import semanticgan as sg
from semanticgan.directions import Direction, move
from semanticgan.directions.finding import by_attributes
from semanticgan.directions.flow_files import LoadedFlow, load_flow
from semanticgan.directions.labels import open_labels
from semanticgan.directions.scored import ScoredCodes, score_samples
from semanticgan.directions.styleflow import with_rows
from semanticgan.editing.change import measure_change
from semanticgan.editing.compositing import feather, region_mask
from semanticgan.files import written_aside
from semanticgan.latents import LatentCode
from semanticgan.model import Model
from semanticgan.perception.classifier import AttributeClassifier, load_classifier
from semanticgan.perception.parser import FaceParser, load_parser
from semanticgan.progress import Progress

ATTRIBUTES = {  # name -> regions that it may change
    "smile": ("mouth", "face"),
    "bald": ("hair", "face", "ear"),
    "bangs": ("hair", "face"),
    "beard": ("mouth", "face"),
    "glasses": ("glasses", "eye"),
    "age": ("hair", "face"),
}
OLD = 50.0  # years
STRENGTHS = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)
REACHES = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
"""Of StyleFlow: parts of the way from an attribute's value to its high end."""
FIRST_SEED = 600_000
Edit = Callable[[LatentCode, float], LatentCode]


@dataclass(frozen=True)
class System:
    """A model and a way to edit it; ``edits`` makes one edit per attribute, ``steps`` is what it is called with."""

    name: str
    model: Model
    edits: Callable[[], dict[str, Edit]]
    steps: tuple[float, ...]


@dataclass(frozen=True)
class Seen:
    """Pictures uint8 [N, 3, S, S], verdicts by name, bool [N], and labels [N, S, S]."""

    pictures: Tensor
    verdicts: dict[str, Tensor]
    labels: Tensor


class Judge:
    """Verdicts of the classifier and regions by the parser, the same for all systems."""

    def __init__(self) -> None:
        self.classifier: AttributeClassifier = load_classifier("attributes-64", "cpu")
        self.parser: FaceParser = load_parser("portraits-64", "cpu")

    def verdicts(self, pictures: Tensor) -> dict[str, Tensor]:
        """Name -> bool [N]."""
        said = self.classifier.predict(pictures)
        masculine = self.classifier.config.categories["presentation"].index("masculine")
        return {
            **said.binary,
            "age": said.numbers["age"] > OLD,
            "masculine": said.categories["presentation"] == masculine,
        }

    def seen(self, pictures: Tensor) -> Seen:
        """Pictures with verdicts and regions."""
        return Seen(pictures, self.verdicts(pictures), self.parser.labels(pictures))

    def outside(self, before: Seen, after: Seen, regions: tuple[str, ...]) -> float:
        """Mean change outside the regions in levels."""
        chosen = tuple(self.parser.regions.names.index(name) for name in regions)
        mask = region_mask(before.labels, chosen) | region_mask(after.labels, chosen)
        return float(measure_change(before.pictures, after.pictures, feather(mask)).outside.mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_system_arguments(parser)
    parser.add_argument("--codes", type=int, default=500, help="samples that are edited")
    parser.add_argument("--only", default="", help="measure only systems whose name contains this")
    parser.add_argument("--curves", type=Path, required=True, help="JSON file of what was measured")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    args.scores.mkdir(parents=True, exist_ok=True)
    judge = Judge()
    curves: dict[str, dict[str, list[dict[str, float]]]] = {}
    if args.curves.is_file():
        curves = json.loads(args.curves.read_text(encoding="utf-8"))
    codes: dict[int, tuple[LatentCode, Seen]] = {}  # by model: systems of one model edit the same samples
    for system in systems(args):
        if args.only not in system.name or any(system.name in of_system for of_system in curves.values()):
            continue
        if id(system.model) not in codes:
            code = system.model.sample(seed=FIRST_SEED, n=args.codes)
            codes[id(system.model)] = code, judge.seen(pictures_of(system.model, code))
        code, before = codes[id(system.model)]
        for attribute, edit in system.edits().items():
            points = [
                measured(judge, attribute, before, pictures_of(system.model, edit(code, step))) | {"step": step}
                for step in Progress(bar=True).over(system.steps, f"{system.name}, {attribute}", len(system.steps))
            ]
            curves.setdefault(attribute, {})[system.name] = points
        with written_aside(args.curves, overwrite=True) as aside:
            aside.write_text(json.dumps(curves, indent=1) + "\n", encoding="utf-8")
    with written_aside(args.out, overwrite=True) as aside:
        aside.write_text(table(curves), encoding="utf-8")
    if args.plot:
        plot(curves, args.plot)
    print(json.dumps({"out": str(args.out), "curves": curves}))


def add_system_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that :func:`systems` reads."""
    parser.add_argument("--model", default="portraits-64")
    parser.add_argument("--flow", type=Path, help="flow of the model: run or file")
    parser.add_argument("--layered", help="a StyleGAN2 of the same portraits: run or file")
    parser.add_argument("--layered-flow", type=Path, help="flow of the StyleGAN2")
    parser.add_argument("--num", type=int, default=10_000, help="plain samples to fit directions on all rows")
    parser.add_argument("--scores", type=Path, required=True, help="folder of the scores read so far")


def systems(args: argparse.Namespace) -> list[System]:
    """What is compared; a flow or a StyleGAN2 that was not given is left out."""
    model = sg.load(args.model, device="cpu")
    rows = {name: model.directions[name].rows for name in ATTRIBUTES}
    found = [
        System("ours by regions, InterFaceGAN", model, lambda: along(model.directions), STRENGTHS),
        System(
            "ours on all rows, InterFaceGAN", model, lambda: along(plain_directions(args, model, "ours")), STRENGTHS
        ),
    ]
    if args.flow:
        flow = FlowEdits(load_flow(flow_file(args.flow), model), model)
        found.append(System("ours by regions, StyleFlow", model, lambda: flow.edits(rows), REACHES))
        found.append(System("ours on all rows, StyleFlow", model, flow.edits, REACHES))
    if args.layered:
        layered = sg.load(args.layered, device="cpu")
        edits = partial(plain_directions, args, layered, "layered")
        found.append(System("StyleGAN2, InterFaceGAN", layered, lambda: along(edits()), STRENGTHS))
        if args.layered_flow:
            own = FlowEdits(load_flow(flow_file(args.layered_flow), layered), layered)
            found.append(System("StyleGAN2, StyleFlow", layered, own.edits, REACHES))
    return found


def along(directions: Mapping[str, Direction]) -> dict[str, Edit]:
    """Edits by directions."""
    return {name: lambda code, step, each=directions[name]: move(code, each, step) for name in ATTRIBUTES}  # type: ignore[misc]


def plain_directions(args: argparse.Namespace, model: Model, name: str) -> dict[str, Direction]:
    """Directions on all rows, fitted on plain samples."""
    labels = open_labels("tutor-attributes-64", model)
    kept = args.scores / f"plain-{name}.safetensors"
    scored: ScoredCodes = score_samples(model, labels, args.num, 0, "plain", kept, Progress(bar=True))
    every = list(model.rows.names)
    return {each.name: each for each in by_attributes(scored, list(ATTRIBUTES), every)}


class FlowEdits:
    """Edits by StyleFlow. What two systems share, the codes z and the edited codes, is solved once.

    All rows of a plain sample are the same w: one row is solved.
    """

    def __init__(self, flow: LoadedFlow, model: Model) -> None:
        self.flow, self.model = flow, model
        self.tutor = load_classifier("tutor-attributes-64", "cpu")
        self._read: tuple[LatentCode, Tensor, Tensor] | None = None  # a code, its attributes, z
        self._edited: dict[tuple[str, float], Tensor] = {}

    def edits(self, rows: Mapping[str, tuple[str, ...]] | None = None) -> dict[str, Edit]:
        """An edit of each attribute, of some rows where they are given."""

        def edit(name: str, code: LatentCode, reach: float) -> LatentCode:
            edited = self._moved(code, name, reach).expand_as(code.tensor)
            chosen = code.rows.names if rows is None else rows[name]
            return LatentCode(with_rows(code.tensor, edited, list(map(code.rows.names.index, chosen))), code.rows)

        return {name: partial(edit, name) for name in ATTRIBUTES if name in self.flow.names}

    def _moved(self, code: LatentCode, name: str, reach: float) -> Tensor:
        """w [N, R or 1, D] with an attribute moved part of the way to its high end."""
        if self._read is None or self._read[0] is not code:
            old = self.tutor.values(pictures_of(self.model, code), self.flow.names)
            alike = bool((code.tensor == code.tensor[:, :1]).all())
            w = code.tensor[:, :1] if alike else code.tensor
            self._read = code, old, self.flow.flow.encode(w, self.flow.conditions(old))
            self._edited.clear()
        if (name, reach) not in self._edited:
            _, old, z = self._read
            column = self.flow.names.index(name)
            new = old.clone()
            new[:, column] += reach * (self.flow.attributes[column].high - old[:, column])
            self._edited[name, reach] = self.flow.flow.decode(z, self.flow.conditions(new))
        return self._edited[name, reach]


def flow_file(path: Path) -> Path:
    """The file itself, or that of a run's newest state."""
    if path.is_dir():
        return sorted(path.glob("step-*/*.safetensors"))[-1]
    return path


def pictures_of(model: Model, code: LatentCode) -> Tensor:
    """uint8 [N, 3, S, S]."""
    return model.render(code, batch_size=8).to_uint8()


def measured(judge: Judge, attribute: str, before: Seen, pictures: Tensor) -> dict[str, float]:
    """Success and leakage of an edit towards an attribute."""
    after = judge.seen(pictures)
    was, now = before.verdicts, after.verdicts
    without = ~was[attribute]
    others = [name for name in was if name != attribute]
    changed = [float((was[name] != now[name]).float().mean()) for name in others]
    return {
        "success": float(now[attribute][without].float().mean()),
        "others": sum(changed) / len(changed),
        "outside": judge.outside(before, after, ATTRIBUTES[attribute]),
    }


def at_success(points: list[dict[str, float]], key: str, success: float) -> float | None:
    """The value of ``key`` where a curve first reaches a success, between two points; None where it does not."""
    last = dict.fromkeys(points[0], 0.0)
    for point in points:
        if point["success"] >= success:
            part = (success - last["success"]) / max(point["success"] - last["success"], 1e-9)
            return last[key] + part * (point[key] - last[key])
        last = point
    return None


def table(curves: dict[str, dict[str, list[dict[str, float]]]], success: float = 0.5) -> str:
    """Markdown: both kinds of leakage where ``success`` of the pictures have gained the attribute; largest success."""
    systems = list(dict.fromkeys(name for of_system in curves.values() for name in of_system))
    systems.sort(key=lambda name: ("StyleFlow" in name, "StyleGAN2" in name, "all rows" in name))
    heads = [", ".join(reversed(name.replace("ours ", "").split(", "))) for name in systems]
    lines = []
    for title, cell in (
        ("Share of the images in which another attribute changes", _leakage("others", "{:.3f}", success)),
        ("Change outside, 0 to 255", _leakage("outside", "{:.1f}", success)),
        ("Largest success", lambda points: f"{max(point['success'] for point in points):.2f}"),
    ):
        lines += [f"{title}:", "", f"| attribute | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
        for attribute, of_system in curves.items():
            cells = [cell(of_system[name]) if name in of_system else "" for name in systems]
            lines.append(f"| {attribute} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def _leakage(key: str, form: str, success: float) -> Callable[[list[dict[str, float]]], str]:
    """The cell of a curve; "-" where it does not reach the success."""

    def cell(points: list[dict[str, float]]) -> str:
        found = at_success(points, key, success)
        return "-" if found is None else form.format(found)

    return cell


def plot(curves: dict[str, dict[str, list[dict[str, float]]]], path: Path) -> None:
    """Success against leakage, a column per attribute."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = sorted({name.split(", ")[0] for of_system in curves.values() for name in of_system})
    colours = {name: f"C{number}" for number, name in enumerate(names)}
    figure, axes = pyplot.subplots(2, len(curves), figsize=(3.2 * len(curves), 6), squeeze=False, layout="constrained")
    for column, (attribute, of_system) in enumerate(curves.items()):
        for row, (key, label) in enumerate(
            (("others", "other attributes changed"), ("outside", "change outside, 0 to 255"))
        ):
            axis = axes[row][column]
            for name, points in of_system.items():
                system, method = name.split(", ")
                line = "--" if method == "StyleFlow" else "-"
                values = [[0.0, *(point[part] for point in points)] for part in (key, "success")]
                axis.plot(*values, line, color=colours[system], label=name.replace("ours", "portraits-64"))
            axis.set(xlabel=label, ylabel="success", ylim=(0, 1.02), title=attribute if row == 0 else "")
            axis.grid(alpha=0.3)
    axes[0][0].legend(fontsize=7)
    with written_aside(path, overwrite=True) as aside:
        figure.savefig(aside, format="png", dpi=80)
    pyplot.close(figure)


if __name__ == "__main__":
    main()
