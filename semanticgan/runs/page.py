"""The page of a report: one HTML file with its style, its pictures and a few lines of script; nothing from outside."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape

from PIL import Image

_LARGEST_PNG = 1024  # pixels wide; wider pictures are stored as JPEG

_STYLE = """
:root { color-scheme: light dark; --paper:#fff; --card:#f6f7f9; --ink:#1f232c; --pale:#69707e; --grid:#e4e7ed;
  --s0:#2a66cc; --s1:#d66818; --s2:#188c62; --s3:#9e42b0; --warn:#fff4e0; --warn-edge:#e0a030; --good:#188c62; }
@media (prefers-color-scheme: dark) { :root { --paper:#14161b; --card:#1d2027; --ink:#e7e9ee; --pale:#979eac;
  --grid:#30343e; --s0:#6ea3ff; --s1:#ff9d52; --s2:#4cc796; --s3:#d58be4; --warn:#33290f; --warn-edge:#b98a2a;
  --good:#4cc796; } }
* { box-sizing: border-box; }
body { margin:0; background:var(--paper); color:var(--ink); font:16px/1.5 system-ui, -apple-system, "Segoe UI",
  Roboto, "Helvetica Neue", "Liberation Sans", sans-serif; }
main { max-width:1240px; margin:0 auto; padding:28px 20px 48px; }
h1 { font-size:30px; line-height:1.2; margin:0; overflow-wrap:anywhere; }
h2 { font-size:20px; margin:40px 0 4px; }
p { margin:4px 0 12px; max-width:100ch; }
.pale, figcaption, footer { color:var(--pale); font-size:14px; }
.progress { height:8px; border-radius:4px; background:var(--grid); margin:14px 0 6px; overflow:hidden; }
.progress div { height:100%; background:var(--s0); border-radius:4px; }
dl { display:grid; grid-template-columns:repeat(auto-fill, minmax(min(100%, 132px), 1fr)); gap:10px; margin:18px 0; }
dl div { background:var(--card); border-radius:8px; padding:9px 11px; }
dt { color:var(--pale); font-size:13px; } dd { margin:0; font-weight:600; font-size:15px; overflow-wrap:anywhere; }
dd small { display:block; font-weight:400; font-size:13px; color:var(--pale); }
.warnings { background:var(--warn); border-left:4px solid var(--warn-edge); border-radius:6px; padding:10px 16px;
  margin:18px 0; }
.warnings ul { margin:4px 0; padding-left:20px; }
.well { color:var(--good); font-size:14px; margin:0; max-width:none; }
.scroll { overflow-x:auto; margin:10px 0; }
.strip { display:grid; grid-auto-flow:column; grid-auto-columns:minmax(76px, 128px); gap:4px; justify-content:start; }
.strip figure { margin:0; text-align:center; } .strip img { width:100%; display:block; }
.strip figcaption { font-size:13px; padding-top:2px; }
img { image-rendering:pixelated; border-radius:2px; }
.sheet img { width:100%; min-width:660px; display:block; }
.key span { display:inline-block; margin:0 12px 2px 0; white-space:nowrap; }
.key i { display:inline-block; width:11px; height:11px; border-radius:3px; margin-right:5px; vertical-align:-1px;
  border:1px solid var(--grid); }
.charts { display:grid; grid-template-columns:repeat(auto-fill, minmax(min(100%, 360px), 1fr)); gap:14px; }
.chart { margin:0; background:var(--card); border-radius:10px; padding:12px 10px 6px; position:relative; }
.chart figcaption { display:flex; flex-wrap:wrap; gap:0 14px; align-items:baseline; padding:0 4px 6px; }
.chart b { color:var(--ink); font-size:15px; } .chart .unit { margin-left:auto; font-size:13px; }
.chart .group { width:100%; font-size:12px; letter-spacing:.04em; text-transform:uppercase; }
.chart p { margin:2px 4px 6px; font-size:13px; color:var(--pale); line-height:1.4; }
.chart .l::before { content:""; display:inline-block; width:14px; height:3px; border-radius:2px; margin-right:5px;
  vertical-align:4px; background:var(--c); }
svg { display:block; width:100%; height:auto; touch-action:pan-y; }
.grid { stroke:var(--grid); } .notch { stroke:var(--pale); } .mark { stroke:var(--pale); stroke-dasharray:4 4; }
.tick { font-size:12px; fill:var(--pale); }
.raw { fill:none; stroke-width:1; opacity:.33; } .smooth { fill:none; stroke-width:2.2; stroke-linejoin:round; }
.s0 { stroke:var(--s0); } .s1 { stroke:var(--s1); } .s2 { stroke:var(--s2); } .s3 { stroke:var(--s3); }
.dot { fill:currentColor; opacity:1; }
.hair { stroke:var(--pale); } .bead { stroke:var(--card); stroke-width:1.5; }
.bead.s0 { fill:var(--s0); } .bead.s1 { fill:var(--s1); } .bead.s2 { fill:var(--s2); } .bead.s3 { fill:var(--s3); }
.readout { position:absolute; top:62px; pointer-events:none; background:var(--paper); border:1px solid var(--grid);
  border-radius:6px; padding:3px 8px; font-size:13px; white-space:nowrap; }
details { margin:12px 0; } summary { cursor:pointer; font-weight:600; padding:4px 0; }
pre { background:var(--card); border-radius:8px; padding:14px; overflow-x:auto; font-size:13px; line-height:1.45; }
footer { margin-top:40px; border-top:1px solid var(--grid); padding-top:10px; }
@media (max-width:520px) { main { padding:18px 12px 32px; } h1 { font-size:25px; } dl { grid-template-columns:1fr 1fr; }
  .tick { font-size:13px; } }
@media print { details { display:none; } }
"""

# Shows the smoothed values under the pointer; without script the page lacks nothing else.
_SCRIPT = """
for (const svg of document.querySelectorAll("svg[data-curves]")) {
  const curves = JSON.parse(svg.dataset.curves), box = svg.closest(".chart"), made = "http://www.w3.org/2000/svg";
  let hair = null, readout = null;
  const clear = () => { hair?.remove(); readout?.remove(); hair = readout = null; };
  const show = event => {
    clear();
    const frame = svg.getBoundingClientRect(), scale = svg.viewBox.baseVal.width / frame.width;
    const pointer = (event.clientX - frame.left) * scale, lines = [];
    hair = svg.appendChild(document.createElementNS(made, "g"));
    curves.forEach((curve, index) => {
      if (!curve.places.length) return;
      let nearest = 0;
      curve.places.forEach(([x], at) => {
        if (Math.abs(x - pointer) < Math.abs(curve.places[nearest][0] - pointer)) nearest = at; });
      const [x, y] = curve.places[nearest], [images, value] = curve.numbers[nearest];
      if (!lines.length) {
        const line = hair.appendChild(document.createElementNS(made, "line"));
        for (const [name, at] of [["x1", x], ["x2", x], ["y1", 10], ["y2", 200], ["class", "hair"]])
          line.setAttribute(name, at);
        lines.push(images + " images");
      }
      const bead = hair.appendChild(document.createElementNS(made, "circle"));
      for (const [name, at] of [["cx", x], ["cy", y], ["r", 4], ["class", "bead s" + index]])
        bead.setAttribute(name, at);
      lines.push((curves.length > 1 ? curve.label + " " : "") + value);
    });
    readout = box.appendChild(document.createElement("div"));
    readout.className = "readout"; readout.textContent = lines.join("  \\u00b7  ");
    const left = event.clientX - box.getBoundingClientRect().left;
    readout.style.left = Math.max(4, Math.min(left + 12, box.clientWidth - readout.offsetWidth - 4)) + "px";
  };
  svg.addEventListener("pointermove", show); svg.addEventListener("pointerdown", show);
  svg.addEventListener("pointerleave", clear);
}
"""


def page(title: str, parts: Sequence[str]) -> str:
    """The whole file from its parts, which are HTML."""
    body = "\n".join(part for part in parts if part)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n"
        f"<script>{_SCRIPT}</script>\n</body>\n</html>\n"
    )


def progress_bar(share: float) -> str:
    """How far, 0 to 1."""
    return f'<div class="progress"><div style="width:{100 * min(max(share, 0), 1):.1f}%"></div></div>'


def facts(rows: Sequence[tuple[str, str, str]]) -> str:
    """Name, value and a remark (or "") of each fact, as cards."""
    cards = []
    for name, value, remark in rows:
        small = f"<small>{escape(remark)}</small>" if remark else ""
        cards.append(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}{small}</dd></div>")
    return f"<dl>{''.join(cards)}</dl>"


def warnings_box(warnings: Sequence[str], checked: str) -> str:
    """The warnings, or a list of what was checked where there are none."""
    if not warnings:
        return f'<p class="well">No warnings. Looked for: {escape(checked)}.</p>'
    items = "".join(f"<li>{escape(warning)}</li>" for warning in warnings)
    return f'<div class="warnings" role="alert"><strong>Warnings</strong><ul>{items}</ul></div>'


def heading(title: str, note: str = "") -> str:
    """A section's title and a sentence on it."""
    return f"<h2>{escape(title)}</h2>" + (f'<p class="pale">{escape(note)}</p>' if note else "")


def picture(image: Image.Image, what: str) -> str:
    """A picture inside the page: PNG, or JPEG where it is wide.

    Args:
        image: RGB.
        what: said to those who cannot see it.
    """
    stored, kind = io.BytesIO(), "png" if image.width <= _LARGEST_PNG else "jpeg"
    image.save(stored, kind, **({"optimize": True} if kind == "png" else {"quality": 90}))
    data = base64.b64encode(stored.getvalue()).decode("ascii")
    return (
        f'<img src="data:image/{kind};base64,{data}" width="{image.width}" height="{image.height}" '
        f'alt="{escape(what)}" style="height:auto">'
    )


def strip(columns: Sequence[tuple[Sequence[str], str]]) -> str:
    """Columns of pictures, each above its name, that scroll sideways where they do not fit."""
    figures = [
        f"<figure>{''.join(pictures)}<figcaption>{escape(name)}</figcaption></figure>" for pictures, name in columns
    ]
    return f'<div class="scroll"><div class="strip">{"".join(figures)}</div></div>'


def sheet(image: str, caption: str) -> str:
    """A wide picture with its caption, that scrolls sideways on a narrow screen."""
    return f'<p class="pale" style="margin:14px 0 2px">{escape(caption)}</p><div class="scroll sheet">{image}</div>'


def colour_key(names: Sequence[str], colours: Sequence[tuple[int, int, int]]) -> str:
    """Which colour is which region."""
    entries = [
        f'<span><i style="background:rgb{colour}"></i>{escape(name)}</span>'
        for name, colour in zip(names, colours, strict=True)
    ]
    return f'<p class="pale key" style="max-width:none">{"".join(entries)}</p>'


def chart_card(svg: str, group: str, title: str, labels: Sequence[str], caption: str, note: str) -> str:
    """A chart below its group, title, legend (labels of more than one curve) and caption, above a sentence on it."""
    legend = "".join(
        f'<span class="l" style="--c:var(--s{index})">{escape(label)}</span>' for index, label in enumerate(labels)
    )
    head = [
        f'<span class="group">{escape(group)}</span><b>{escape(title)}</b>',
        legend if len(labels) > 1 else "",
        f'<span class="unit">{escape(caption)}</span>' if caption else "",
    ]
    foot = f"<p>{escape(note)}</p>" if note else ""
    return f'<figure class="chart"><figcaption>{"".join(head)}</figcaption>{svg}{foot}</figure>'


def cards(charts: Sequence[str]) -> str:
    """Charts side by side as far as there is room."""
    return f'<div class="charts">{"".join(charts)}</div>'


def folded(summary: str, content: str) -> str:
    """Something that opens on a click."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def code(text: str) -> str:
    """Text as it is."""
    return f"<pre>{escape(text)}</pre>"


def footer(text: str) -> str:
    """The last line."""
    return f"<footer>{escape(text)}</footer>"
