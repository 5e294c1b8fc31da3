"""All maps of one image side by side, as a PNG or an SVG file."""

from __future__ import annotations

import io
from collections.abc import Iterator
from math import ceil

from markupsafe import Markup
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from resnetkit.explanation.explanation import Explanation
from resnetkit.explanation.pictures import iter_panels
from resnetkit.explanation.words import iter_shares, tell_question
from resnetkit.pages.formatting import plain_percent
from resnetkit.pages.raster import jpeg_url
from resnetkit.pages.svg import box, picture, text

SIGN = "explained by resnetkit"
"""Words near the beginning of every file of ours."""

GAP_PX, TITLE_PX = 16, 28
# In an SVG every panel is as wide, whatever the image's size.
PANEL_PX, CAPTION_PX, ROW_PX, BAR_PX = 320, 22, 22, 90
NUM_COLUMNS = 3
LONGEST_NAME, LONGEST_SOURCE = 28, 90


def render_png(explanation: Explanation) -> bytes:
    """A row of pictures, each under its title; no names of classes, for which there may be no letters here."""
    panels = list(iter_panels(explanation))
    height, width = panels[0].pixels.shape[:2]
    font = ImageFont.load_default(14)
    titles = [panel.title.replace("×", "x") for panel in panels]  # the font has no such sign
    step = max(width, *(ceil(font.getlength(title)) for title in titles)) + GAP_PX
    sheet = Image.new("RGB", (step * len(panels) + GAP_PX, height + TITLE_PX + GAP_PX), "white")
    draw = ImageDraw.Draw(sheet)
    for number, (title, panel) in enumerate(zip(titles, panels, strict=True)):
        left = GAP_PX + step * number
        draw.text((left, 7), title, fill="black", font=font)
        sheet.paste(Image.fromarray(panel.pixels), (left, TITLE_PX))
    told, png = PngImagePlugin.PngInfo(), io.BytesIO()
    told.add_text("Software", SIGN)
    sheet.save(png, format="PNG", optimize=True, pnginfo=told)
    return png.getvalue()


def render_svg(explanation: Explanation) -> str:
    """The pictures in rows with their titles, and the probabilities of classes behind them; names are escaped."""
    panels = list(iter_panels(explanation))
    height, width = panels[0].pixels.shape[:2]
    panel_px = PANEL_PX * height / width
    row_px = max(panel_px + TITLE_PX + CAPTION_PX, TITLE_PX + ROW_PX * len(tuple(iter_shares(explanation)))) + GAP_PX
    num_columns, num_cells = min(NUM_COLUMNS, len(panels) + 1), len(panels) + 1

    def corner(number: int) -> tuple[float, float]:
        return GAP_PX + (PANEL_PX + GAP_PX) * (number % num_columns), 40 + row_px * (number // num_columns)

    source = explanation.source
    source = source if len(source) <= LONGEST_SOURCE else "…" + source[1 - LONGEST_SOURCE :]
    parts = [text(GAP_PX, 26, source, "title")]
    image = Markup('<image x="{:g}" y="{:g}" width="{:g}" height="{:g}" href="{}"/>')
    for number, panel in enumerate(panels):
        left, top = corner(number)
        parts.append(text(left, top + 18, panel.title, "heading"))
        parts.append(image.format(left, top + TITLE_PX, PANEL_PX, panel_px, jpeg_url(panel.pixels)))
        if panel.place:
            parts.append(text(left, top + TITLE_PX + panel_px + 16, f"strongest: {panel.place}", "note"))
    parts += _shares(explanation, *corner(len(panels)))
    total_px = (GAP_PX + (PANEL_PX + GAP_PX) * num_columns, 40 + row_px * -(-num_cells // num_columns))
    return picture(*total_px, source, f"{SIGN}. {tell_question(explanation)}", parts)


def _shares(explanation: Explanation, left: float, top: float) -> Iterator[Markup]:
    yield text(left, top + 18, _short(tell_question(explanation), 48), "heading")
    for number, share in enumerate(iter_shares(explanation)):
        y = top + TITLE_PX + ROW_PX * (number + 0.7)
        role = f" ({share.role})" if share.role else ""
        name = _short(share.class_name, LONGEST_NAME - len(role)) + role
        yield text(left, y, name, "heading" if share.role else "label")
        yield text(left + PANEL_PX - BAR_PX - 8, y, plain_percent(share.probability, 1), anchor="end")
        yield box(left + PANEL_PX - BAR_PX, y - 9, max(BAR_PX * share.probability, 1), 10, "skip-tip", radius=1)


def _short(words: str, longest: int) -> str:
    return words if len(words) <= longest else words[: longest - 1] + "…"
