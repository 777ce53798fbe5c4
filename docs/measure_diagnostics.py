"""Measures droplets and details that stay in place (diagnostics.py): a table of docs/comparison.md.

python docs/measure_diagnostics.py runs/stylegan runs/stylegan2 runs/pggan --out diagnostics.md
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from diagnostics import droplets, shift_along_yaw, shift_in_portraits

import semanticgan as sg
from semanticgan.data.portraits import PortraitDataset
from semanticgan.files import written_aside
from semanticgan.perception.classifier import load_classifier
from semanticgan.perception.parser import load_parser


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="runs, files or names of models of 64-pixel portraits")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    classifier, reader = load_classifier(device="cpu"), load_parser("portraits-64", "cpu")
    portraits = PortraitDataset(64, 1000, seed=90001)
    rows = {"drawn portraits": {"shift": shift_in_portraits(portraits, reader)}}
    for name in args.models:
        model = sg.load(name, device="cpu")
        row = {"shift": shift_along_yaw(model, classifier, reader)}
        rows[name] = row if model.rows.regions is not None else {**row, **droplets(model)}
    columns = ["shift", *sorted({key for row in rows.values() for key in row} - {"shift"}, key=int)]
    lines = ["| | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    for name, row in rows.items():
        cells = [f"{row[key]:.5f}" if key == "shift" else f"{row[key]:.1f}" if key in row else "-" for key in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    with written_aside(args.out, overwrite=True) as aside:
        aside.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(json.dumps({"out": str(args.out), "rows": rows}))


if __name__ == "__main__":
    main()
