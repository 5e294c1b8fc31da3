"""Pictures of maps: the colours lie where the values are, and what was never seen is darker, to the pixel."""

from dataclasses import replace

import numpy as np
import pytest
from tests.explanation.explained import explained

from resnetkit.explanation.methods import METHODS
from resnetkit.explanation.pictures import (
    EDGE,
    LONGEST_PX,
    SHORT_PX,
    UNSEEN_LIGHT,
    as_drawn,
    draw_map,
    draw_scale,
    draw_seen,
    iter_panels,
    strongest,
)
from resnetkit.explanation.words import SAYS, iter_notes, tell_place
from resnetkit.images.preprocessing import Window


def seen_square(height: int, width: int) -> np.ndarray:
    inside = np.zeros((height, width), bool)
    inside[10:90, 30:110] = True
    return inside


@pytest.mark.parametrize("light", [0, 90, 255])
def test_what_was_never_seen_is_darker_exactly_outside_the_window(light: int) -> None:
    seen = draw_seen(explained(light=light))
    inside = seen_square(100, 140)
    assert (seen[inside] == light).all()
    edge = np.zeros_like(inside)
    edge[9:91, 29:111] = True
    edge &= ~inside
    assert (seen[edge] == EDGE).all(), "a line around it, also where all is black"
    assert (seen[~inside & ~edge] == round(light * UNSEEN_LIGHT)).all()


def test_a_padded_image_was_seen_whole() -> None:
    explanation = explained(window=Window(0, -20, 140, 140))
    assert (draw_seen(explanation) == 200).all()


def test_colours_lie_on_the_values_and_grey_where_there_are_none() -> None:
    drawn = draw_map(explained(), explained().maps[0]).astype(int)
    coloured = np.ptp(drawn, axis=2) > 10
    assert coloured[12:28, 32:48].all(), "the upper left quarter of a quarter of the window"
    assert not coloured[~seen_square(100, 140)].any()
    assert not coloured[50:].any()
    outside, inside = drawn[95, 5, 0], drawn[80, 100, 0]
    assert outside == pytest.approx(inside * UNSEEN_LIGHT, abs=1)


@pytest.mark.parametrize("light", [0, 255])
def test_the_strongest_colour_shows_on_black_and_on_white(light: int) -> None:
    drawn = draw_map(explained(light=light), explained().maps[0]).astype(float)
    luminance = drawn @ [0.299, 0.587, 0.114]
    assert abs(luminance[20, 40] - luminance[80, 100]) > 20
    assert np.ptp(drawn[20, 40]) > 60, "and is no grey"


def test_a_map_of_nothing_is_the_grey_image() -> None:
    explanation = explained(values=np.zeros((8, 8)))
    assert np.ptp(draw_map(explanation, explanation.maps[0]), axis=2).max() == 0
    assert tell_place(explanation.maps[0]) == "nowhere: nothing speaks for it"


def test_maps_to_compare_have_one_scale() -> None:
    strong, weak = explained(), explained(values=explained().maps[0].values / 10)
    full = strongest(strong.maps[0])
    assert (draw_map(weak, weak.maps[0]) == draw_map(strong, strong.maps[0])).all(), "each by itself"
    pale = draw_map(weak, weak.maps[0], full=full)[20, 40].astype(int)
    assert np.ptp(pale) < np.ptp(draw_map(strong, strong.maps[0])[20, 40].astype(int)) / 2


def test_one_outstanding_pixel_does_not_hide_the_others() -> None:
    values = np.ones((20, 20))
    values[0, 0] = 1000
    assert strongest(explained(values=values).maps[0]) == 1


def test_where_no_value_stands_for_nothing_colours_begin_at_the_least() -> None:
    values = explained().maps[0].values
    grad_cam = explained(values=values).maps[0]
    raised = replace(grad_cam, method="rise", values=values + 5)
    assert (draw_map(explained(), raised) == draw_map(explained(), grad_cam)).all()
    assert tell_place(raised) == tell_place(grad_cam)


def test_against_and_for_have_colours_of_their_own() -> None:
    scale = draw_scale(is_signed=True).astype(int)[0]
    assert scale[0, 2] > scale[0, 0], "blue"
    assert scale[-1, 0] > scale[-1, 2], "red"
    assert np.ptp(scale[len(scale) // 2]) < 25, "grey between them"
    lightness = scale @ [0.299, 0.587, 0.114]
    assert np.ptp(lightness) < 50, "nothing near 0 shines"


@pytest.mark.parametrize(
    ("side", "drawn_side"), [(8, SHORT_PX), (28, 308), (200, SHORT_PX), (500, 500), (3000, LONGEST_PX)]
)
def test_the_size_is_bounded_and_tiny_images_keep_square_pixels(side: int, drawn_side: int) -> None:
    explanation = explained((side, side), Window(side / 4, 0, side / 2, side / 2))
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    object.__setattr__(explanation, "image", image)
    drawn = as_drawn(explanation)
    assert drawn.image is not None
    assert drawn.window is not None
    assert drawn.image.shape == (drawn_side, drawn_side, 3)
    assert drawn.window == Window(drawn_side / 4, 0, drawn_side / 2, drawn_side / 2)
    if side < 80:
        assert (drawn.image[:: drawn_side // side, :: drawn_side // side] == image).all()


def test_panels_are_of_one_size() -> None:
    panels = list(iter_panels(explained((9, 36))))
    assert [panel.title for panel in panels] == ["What the network saw", "Grad-CAM, stage2"]
    assert {panel.pixels.shape for panel in panels} == {(72, 288, 3)}
    assert panels[0].notes == ()


@pytest.mark.parametrize("turned", [False, True])
def test_of_a_very_long_image_the_middle_is_drawn(turned: bool) -> None:
    strip = explained((100, 1001), Window(451, 0, 100, 100), values=np.full((8, 8), 1.0))
    assert strip.image is not None
    long = explained((1001, 100), Window(0, 451, 100, 100), values=np.full((8, 8), 1.0)) if turned else strip
    panels = list(iter_panels(long))
    assert panels[0].notes == ("the ends of this long image are not shown",)
    drawn = panels[1].pixels.transpose(1, 0, 2) if turned else panels[1].pixels
    assert drawn.shape == (100, 401, 3)
    coloured = np.ptp(drawn.astype(int), axis=2) > 10
    assert np.flatnonzero(coloured.any(0)).tolist() == list(range(151, 251))


def test_what_is_missing_of_a_sum_is_told() -> None:
    heat = replace(explained().maps[0], method="integrated_gradients", layer=None, gap=0.07)
    told = [note for panel in iter_panels(replace(explained(), maps=(heat,))) for note in panel.notes]
    assert len(told) == 1
    assert "miss 7 %" in told[0]
    assert list(iter_notes(replace(heat, gap=0.009))) == []


def test_every_method_is_told_in_words() -> None:
    assert set(METHODS) == set(SAYS)
