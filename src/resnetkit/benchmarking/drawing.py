"""Draw what an image costs as bars: for the terminal, and as SVG."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from resnetkit.benchmarking.results import Benchmark, Row
from resnetkit.pages.formatting import plain_percent
from resnetkit.pages.svg import box, line, picture, text, words_px

WORDS = {"predict": "prediction", "train": "training"}
EIGHTHS = " ▏▎▍▌▋▊▉"
BAR_CHARACTERS = 32
BAR_PX, ROW_PX, LABEL_PX, MARGIN_PX = 360, 22, 140, 16


def cost_text(rows: Sequence[Row]) -> str:
    """Milliseconds an image, one bar a row; the longest bar is the dearest of its kind of work.

    Rows without figures are left out.
    """
    lines = []
    for mode, some in _by_mode(rows):
        most = max(_milliseconds(row)[0] for row in some)
        lines.append(f"{WORDS[mode]}, ms an image")
        for row, label in zip(some, _labels(some), strict=True):
            cost = _milliseconds(row)[0]
            lines.append(f"  {label}  {_bar(cost / most)}  {cost:.3g}")
    return "\n".join(lines)


def cost_svg(benchmark: Benchmark) -> str:
    """The same as a picture, each bar with a mark from its fastest to its slowest round."""
    parts: list[Markup] = []
    y = 58.0
    for mode, rows in _by_mode(benchmark.rows):
        most = max(_milliseconds(row)[2] for row in rows)
        parts.append(text(MARGIN_PX, y, f"{WORDS[mode]}, ms an image", "heading"))
        for row, label in zip(rows, _labels(rows), strict=True):
            y += ROW_PX
            cost, low, high = (value / most * BAR_PX for value in _milliseconds(row))
            start = MARGIN_PX + LABEL_PX
            parts += [
                text(start - 8, y, label.strip(), "shape", "end"),
                box(start, y - 11, max(cost, 1), 14, "conv" if mode == "predict" else "act", radius=2),
                line([(start + low, y - 4), (start + high, y - 4)]),
                text(start + high + 8, y, _figures(row), "note"),
            ]
        y += 2 * ROW_PX
    title = f"What an image costs in {benchmark.subject}"
    environment = benchmark.environment
    machine = f"{benchmark.device}, {environment['threads']} threads, {benchmark.measured_at}"
    width = 2 * MARGIN_PX + LABEL_PX + BAR_PX + max(250.0, words_px(machine) - BAR_PX)
    parts += [text(MARGIN_PX, 28, title, "title"), text(MARGIN_PX, y - 12, machine, "note")]
    return picture(width, y, title, cost_text(benchmark.rows), parts)


def _by_mode(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    measured = [row for row in rows if row.images_per_second is not None]
    modes = dict.fromkeys(row.case.mode for row in measured)
    return [(mode, [row for row in measured if row.case.mode == mode]) for mode in modes]


def _milliseconds(row: Row) -> tuple[float, float, float]:
    """Milliseconds per image: median, lowest, highest."""
    rate = row.images_per_second
    assert rate is not None
    return 1e3 / rate.median, 1e3 / rate.high, 1e3 / rate.low


def _labels(rows: Sequence[Row]) -> list[str]:
    sizes, batches = ([f"{value:,}" for value in column] for column in zip(*map(_sizes, rows), strict=True))
    widths = max(map(len, sizes)), max(map(len, batches))
    return [f"{size:>{widths[0]}} px, batch {batch:>{widths[1]}}" for size, batch in zip(sizes, batches, strict=True)]


def _sizes(row: Row) -> tuple[int, int]:
    return row.case.image_size_px, row.case.batch_size


def _bar(share: float) -> str:
    """A bar in eighths of a character, at least one of them, padded to the longest.

    >>> _bar(0.5).rstrip()
    '████████████████'
    """
    eighths = max(1, round(share * BAR_CHARACTERS * 8))
    return ("█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()).ljust(BAR_CHARACTERS)


def _figures(row: Row) -> str:
    share = "" if row.peak_share is None else f", {plain_percent(row.peak_share, 0)} of the peak"
    return f"{_milliseconds(row)[0]:.3g}{share}"
