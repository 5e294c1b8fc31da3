"""Pieces of an SVG picture: boxes, words, lines; self-contained, without scripts or fonts from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from resnetkit.terminal import shown_lines

CHARACTER_PX = 6.6
"""Width of an average letter of the labels, at 12 px."""

START = "<!-- drawn by resnetkit -->\n"
"""The first line of every picture."""

STYLE = """
text { font: 12px ui-sans-serif, system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2933 }
.title { font-size: 17px; font-weight: 600 } .heading { font-weight: 600 }
.name, .shape, .note { fill: #66717e; font-size: 11px } .name { font-family: ui-monospace, Menlo, Consolas, monospace }
.line { fill: none; stroke: #3b4754; stroke-width: 1.5 } .skip { fill: none; stroke: #2f6db3; stroke-width: 2 }
.tip { fill: #3b4754 } .skip-tip { fill: #2f6db3 } .paper { fill: #ffffff }
.panel { fill: #f6f7f9 } .sum { fill: #ffffff; stroke: #3b4754; stroke-width: 1.5 }
.conv { fill: #dfeafa; stroke: #5b8ac6 } .norm { fill: #f1ebfa; stroke: #9a7fc4 }
.act { fill: #fdf0d9; stroke: #cf9a3c }
.pool { fill: #e2f3ea; stroke: #5fa37c } .shape-step { fill: #e2f3ea; stroke: #5fa37c }
.dropout { fill: #f4f4f4; stroke: #98a2ad; stroke-dasharray: 4 2 } .attention { fill: #fbe6ec; stroke: #c8708c }
.scale { fill: #ffffff; stroke: #98a2ad }
.identity { fill: #ffffff; stroke: #2f6db3 } .projection { fill: #e4eefb; stroke: #2f6db3 }
.shape-matching { fill: #eaf5ef; stroke: #2f6db3 } .plain { fill: #ffffff; stroke: #98a2ad }
"""


def text(x: float, y: float, words: str, kind: str = "label", anchor: str = "start", *, turn: int = 0) -> Markup:
    """Words with their baseline at (x, y), turned about that point; ``anchor`` is start, middle or end."""
    turned = Markup(' transform="rotate({} {:g} {:g})"').format(turn, x, y) if turn else ""
    pattern = Markup('<text class="{}" x="{:g}" y="{:g}" text-anchor="{}"{}>{}</text>')
    return pattern.format(kind, x, y, anchor, turned, words)


def box(x: float, y: float, width: float, height: float, kind: str, *, radius: float = 5, opacity: float = 1) -> Markup:
    """A rectangle with its upper left corner at (x, y)."""
    faint = "" if opacity == 1 else Markup(' fill-opacity="{:.2f}"').format(opacity)
    pattern = Markup('<rect class="{}" x="{:g}" y="{:g}" width="{:g}" height="{:g}" rx="{:g}"{}/>')
    return pattern.format(kind, x, y, width, height, radius, faint)


def line(points: Sequence[tuple[float, float]], kind: str = "line", *, arrow: bool = False) -> Markup:
    """A line of straight pieces with rounded corners; with ``arrow``, it ends in a tip."""
    path = f"M{points[0][0]:g},{points[0][1]:g}"
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        start, end = _towards(corner, before), _towards(corner, after)
        path += f"L{start[0]:g},{start[1]:g}Q{corner[0]:g},{corner[1]:g} {end[0]:g},{end[1]:g}"
    path += f"L{points[-1][0]:g},{points[-1][1]:g}"
    tip = Markup(' marker-end="url(#{}-tip)"').format(kind) if arrow else ""
    return Markup('<path class="{}" d="{}"{}/>').format(kind, path, tip)


def dot(x: float, y: float, kind: str = "tip") -> Markup:
    """The dot where a path forks."""
    return Markup('<circle class="{}" cx="{:g}" cy="{:g}" r="3.5"/>').format(kind, x, y)


def plus(x: float, y: float) -> Markup:
    """The sign of an addition."""
    pattern = Markup(
        '<circle class="sum" cx="{0:g}" cy="{1:g}" r="11"/><path class="line" d="M{2:g},{1:g}h12M{0:g},{3:g}v12"/>'
    )
    return pattern.format(x, y, x - 6, y - 6)


def small_plus(x: float, y: float) -> Markup:
    """:func:`plus` at the size of a whole network's picture."""
    pattern = Markup(
        '<circle class="sum" cx="{0:g}" cy="{1:g}" r="7"/><path class="line" d="M{2:g},{1:g}h7M{0:g},{3:g}v7"/>'
    )
    return pattern.format(x, y, x - 3.5, y - 3.5)


def picture(width: float, height: float, title: str, description: str, parts: Sequence[Markup]) -> str:
    """A whole SVG file; title and description are what a screen reader says."""
    head = Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title description" '
        'viewBox="0 0 {0:g} {1:g}" width="{0:g}" height="{1:g}">'
        '<title id="title">{2}</title><desc id="description">{3}</desc>'
    )
    tip = Markup(
        '<marker id="{}-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
        'markerUnits="userSpaceOnUse" orient="auto"><path class="{}" d="M0,0.5L8,4L0,7.5z"/></marker>'
    )
    tips = tip.format("line", "tip") + tip.format("skip", "skip-tip")
    start = (
        Markup(START)
        + head.format(width, height, title, description)
        + Markup("<style>")
        + Markup(STYLE)
        + Markup("</style>")
    )
    body = Markup("\n").join(parts)
    paper = box(0, 0, width, height, "paper", radius=0)
    # XML has no form for most control characters.
    return shown_lines(str(start + Markup("<defs>") + tips + Markup("</defs>") + paper + body)) + "</svg>\n"


def words_px(words: str) -> float:
    """About how wide a label is."""
    return len(words) * CHARACTER_PX


def _towards(corner: tuple[float, float], other: tuple[float, float], radius: float = 8) -> tuple[float, float]:
    """The point on the way from a corner to its neighbour where the rounding ends."""
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    share = min(radius, max(abs(dx), abs(dy)) / 2) / max(abs(dx), abs(dy), 1e-9)
    return corner[0] + dx * share, corner[1] + dy * share
