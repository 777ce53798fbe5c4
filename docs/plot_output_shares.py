"""Chart of docs/comparison.md: the share of each resolution in the output of a StyleGAN2, over its training.

python docs/plot_output_shares.py runs/stylegan2 --out docs/images/output-shares.png

The run's stats.jsonl has the shares (training/output_shares.py; arXiv 1912.04958, Figure 8).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from semanticgan.files import written_aside
from semanticgan.training.output_shares import PREFIX


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a run of method stylegan2 with generator.wiring=skip")
    parser.add_argument("--out", type=Path, required=True, help="PNG to write")
    args = parser.parse_args()
    lines = [json.loads(line) for line in (args.run / "stats.jsonl").read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if any(name.startswith(PREFIX) for name in line)]
    sizes = sorted(int(name.removeprefix(PREFIX)) for name in lines[0] if name.startswith(PREFIX))

    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(6, 3), layout="constrained")
    shares = [[100 * line[f"{PREFIX}{size}"] for line in lines] for size in sizes]
    labels = [f"{size} pixels" for size in sizes]
    axis.stackplot([line["images"] / 1000 for line in lines], shares, labels=labels)
    axis.set(xlabel="images shown in training, thousands", ylabel="share of the output, %", ylim=(0, 100))
    axis.margins(x=0)
    handles, names = axis.get_legend_handles_labels()
    axis.legend(handles[::-1], names[::-1], loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
    with written_aside(args.out, overwrite=True) as aside:
        figure.savefig(aside, format="png", dpi=100)
    pyplot.close(figure)
    print(
        json.dumps(
            {
                "out": str(args.out),
                **{f"{size}": round(share[-1], 1) for size, share in zip(sizes, shares, strict=True)},
            }
        )
    )


if __name__ == "__main__":
    main()
