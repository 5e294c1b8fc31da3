"""The one error: how it reads, travels and suggests."""

import copy
import json
import pickle

import pytest

from resnetkit.errors import Code, ResnetkitError, did_you_mean, require


def test_codes_are_the_documented_exit_codes() -> None:
    assert {code.name: int(code) for code in Code} == {
        "CHECK_FAILED": 1,
        "USAGE": 2,
        "DATA": 3,
        "WEIGHTS": 4,
        "DIVERGED": 5,
        "IO": 7,
        "BUG": 70,
    }


def test_text_has_a_line_for_each_part_that_is_known() -> None:
    assert str(ResnetkitError(Code.DATA, "what")) == "what"
    assert str(ResnetkitError(Code.DATA, "what", why="because")) == "what\n  why: because"
    assert str(ResnetkitError(Code.DATA, "what", fix="do")) == "what\n  fix: do"
    assert str(ResnetkitError(Code.DATA, "what", why="because", fix="do")) == "what\n  why: because\n  fix: do"


def test_as_json() -> None:
    error = ResnetkitError(Code.WEIGHTS, "what", why="because", fix="do")
    assert json.loads(json.dumps(error.as_dict())) == {
        "code": 4,
        "kind": "weights",
        "what": "what",
        "why": "because",
        "fix": "do",
    }


@pytest.mark.parametrize("send", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_it_survives_the_way_from_a_worker_process(send: object) -> None:
    error = ResnetkitError(Code.IO, "what", why="because", fix="do")
    received = send(error)  # type: ignore[operator]
    assert type(received) is ResnetkitError
    assert received.as_dict() == error.as_dict()
    assert received.code is Code.IO
    assert str(received) == str(error)


def test_require() -> None:
    require(True, "never seen")
    with pytest.raises(ResnetkitError) as raised:
        require(False, "what", why="because", fix="do", code=Code.DATA)
    assert raised.value.as_dict() == ResnetkitError(Code.DATA, "what", why="because", fix="do").as_dict()
    with pytest.raises(ResnetkitError) as raised:
        require(False, "what")
    assert raised.value.code is Code.USAGE


def test_suggestions() -> None:
    assert did_you_mean("depth", ["widths", "depths"]) == "did you mean 'depths'?"
    assert did_you_mean("xyz", (name for name in ("a", "b"))) == "choose one of: a, b"
    assert did_you_mean("xyz", []) == "choose one of: "


def test_a_long_list_of_choices_is_not_printed() -> None:
    assert did_you_mean("qqq", [f"resnet{depth}" for depth in range(41)]).startswith(
        "of the 41 there are, the nearest are "
    )
