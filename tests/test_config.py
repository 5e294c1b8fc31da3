"""Descriptions as JSON, dotted settings, and errors that name the field."""

import json
from typing import Annotated, Literal

import pytest
from pydantic import Field

from resnetkit.config import from_dict, frozen, override, parse_settings, to_dict
from resnetkit.errors import Code, ResnetkitError, require


@frozen
class Circle:
    radius: float = 1.0
    kind: Literal["circle"] = "circle"


@frozen
class Box:
    width: int = 2
    height: int = 3
    kind: Literal["box"] = "box"

    def __post_init__(self) -> None:
        require(self.width > 0, f"shape.width must be above 0, got {self.width}")


Shape = Annotated[Circle | Box, Field(discriminator="kind")]


@frozen
class Frame:
    thickness_px: int = 1
    shape: Shape = Circle()


@frozen
class Drawing:
    name: str
    frame: Frame = Frame()
    points: tuple[float, ...] = ()
    margin: Frame | None = None
    color: Literal["black", "red"] = "black"


FULL = Drawing("a", Frame(2, Box(4, 5)), (1.5, 2.0), Frame(3), "red")


# --- JSON ---


@pytest.mark.parametrize("value", [Drawing("a"), FULL])
def test_json_both_ways(value: Drawing) -> None:
    assert from_dict(Drawing, json.loads(json.dumps(to_dict(value)))) == value


def test_json_holds_every_field_and_lists_for_tuples() -> None:
    assert to_dict(FULL) == {
        "name": "a",
        "frame": {"thickness_px": 2, "shape": {"width": 4, "height": 5, "kind": "box"}},
        "points": [1.5, 2.0],
        "margin": {"thickness_px": 3, "shape": {"radius": 1.0, "kind": "circle"}},
        "color": "red",
    }


def test_missing_fields_take_their_defaults() -> None:
    assert from_dict(Drawing, {"name": "a"}) == Drawing("a")


@pytest.mark.parametrize(
    ("data", "what", "fix"),
    [
        ({"name": "a", "colour": "red"}, "unknown field 'colour'", "did you mean 'color'?"),
        (
            {"name": "a", "frame": {"thickness": 1}},
            "unknown field 'frame.thickness'",
            "did you mean 'frame.thickness_px'?",
        ),
        (
            {"name": "a", "frame": {"shape": {"kind": "box", "hight": 1}}},
            "unknown field 'frame.shape.hight'",
            "did you mean 'frame.shape.height'?",
        ),
        ({"name": "a", "margin": {"thicknes_px": 1}}, "unknown field 'margin.thicknes_px'", "'margin.thickness_px'"),
        ({"name": "a", "thickness_px": 1}, "unknown field 'thickness_px'", "did you mean 'frame.thickness_px'?"),
        ({"name": "a", "color": "blue"}, "'color' is not valid", ""),
        ({"name": "a", "points": [1, "x"]}, "'points.1' is not valid", ""),
        ({"name": "a", "frame": {"thickness_px": 1.5}}, "'frame.thickness_px' is not valid", ""),
        ({}, "'name' is missing", ""),
        ([], "'Drawing' is not valid", ""),
    ],
)
def test_the_first_wrong_field_is_named(data: object, what: str, fix: str) -> None:
    with pytest.raises(ResnetkitError) as raised:
        from_dict(Drawing, data, where="a.json")
    assert raised.value.code is Code.USAGE
    assert raised.value.what.startswith(f"a.json: {what}")
    assert fix in raised.value.fix


def test_rules_of_the_description_itself_hold_for_json_too() -> None:
    with pytest.raises(ResnetkitError, match=r"shape\.width must be above 0, got 0"):
        from_dict(Drawing, {"name": "a", "frame": {"shape": {"kind": "box", "width": 0}}})


def test_descriptions_are_frozen() -> None:
    with pytest.raises(AttributeError):
        FULL.name = "b"  # type: ignore[misc]
    assert hash(Drawing("a")) == hash(Drawing("a"))


# --- dotted settings ---


def test_settings_replace_fields_and_leave_the_original() -> None:
    changed = override(FULL, {"frame.thickness_px": "7", "color": "black", "points": "[1, 2]", "margin": None})
    assert changed == Drawing("a", Frame(7, Box(4, 5)), (1.0, 2.0), None, "black")
    assert FULL.frame.thickness_px == 2
    assert override(FULL, {}) == FULL


def test_text_that_is_no_json_is_text() -> None:
    assert override(FULL, {"name": "two words"}).name == "two words"
    assert override(FULL, {"margin": "null"}).margin is None
    assert override(FULL, {"name": '"7"'}).name == "7"


@pytest.mark.parametrize("text", ["123", "1e5", "-0.5", "true", "NaN"])
def test_a_number_for_a_field_of_text_is_text(text: str) -> None:
    assert override(FULL, {"name": text}).name == text
    with pytest.raises(ResnetkitError, match="'color' is not valid"):
        override(FULL, {"color": text})


def test_a_new_kind_starts_with_its_own_defaults() -> None:
    assert override(FULL, {"frame.shape.kind": "circle"}).frame.shape == Circle()
    assert override(FULL, {"frame.shape.kind": "box"}).frame.shape == Box(4, 5), "the same kind keeps its values"


def test_the_order_of_the_settings_does_not_matter() -> None:
    settings = {"frame.shape.kind": "circle", "frame.shape.radius": "4"}
    for given in (settings, dict(reversed(settings.items()))):
        assert override(FULL, given).frame.shape == Circle(4.0)
    whole_last = {"frame.thickness_px": "9", "frame": '{"thickness_px": 5}'}
    assert override(FULL, whole_last).frame == Frame(9), "the more specific setting holds"


@pytest.mark.parametrize(
    ("path", "fix"),
    [
        ("colour", "did you mean 'color'?"),
        ("frame.thickness", "did you mean 'frame.thickness_px'?"),
        ("fram.thickness_px", "did you mean 'frame.thickness_px'?"),
        ("frame.shap.width", "did you mean 'frame.shape.width'?"),
        ("thickness_px", "did you mean 'frame.thickness_px'?"),
        ("height", "did you mean 'frame.shape.height'?"),
        ("frame.shape.foo", "choose one of: frame.shape.width, frame.shape.height, frame.shape.kind"),
        ("framme.thick", "did you mean 'frame'?"),
        ("points.0", "set 'points' as a whole, as JSON"),
        ("name.first", "set 'name' as a whole, as JSON"),
    ],
)
def test_a_path_that_leads_nowhere_is_told_the_nearest(path: str, fix: str) -> None:
    with pytest.raises(ResnetkitError) as raised:
        override(FULL, {path: "1"})
    assert raised.value.code is Code.USAGE
    assert path in raised.value.what
    assert raised.value.fix == fix


@pytest.mark.parametrize("value", ["-1", "many", "1.5"])
def test_a_value_that_does_not_fit_is_refused(value: str) -> None:
    with pytest.raises(ResnetkitError, match=r"shape\.width"):
        override(FULL, {"frame.shape.width": value})


# --- the command line's form ---


def test_assignments() -> None:
    assert parse_settings(["a.b=1", " c = x=y ", "d="]) == {"a.b": "1", "c": "x=y", "d": ""}
    assert parse_settings([]) == {}


def test_an_assignment_that_is_given_twice() -> None:
    with pytest.raises(ResnetkitError, match="a is set twice: by --set a=1 and by --set a=2"):
        parse_settings(["a=1", "b=1", " a =2"])


@pytest.mark.parametrize("assignment", ["epochs", "=20", ""])
def test_an_assignment_without_path_or_value(assignment: str) -> None:
    with pytest.raises(ResnetkitError, match=r"--set needs path\.to\.field=value") as raised:
        parse_settings([assignment])
    assert raised.value.code is Code.USAGE
