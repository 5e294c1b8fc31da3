"""Points that are kept: killed at any of them and begun again, the same file."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from resnetkit.analysis.landscape import Height, Landscape, Plane
from resnetkit.analysis.landscape_points import compute_landscape
from resnetkit.analysis.subject import Subject
from resnetkit.errors import ResnetkitError

MakeSubject = Callable[..., Subject]
PLANE = Plane(3)


class Killed(BaseException):
    pass


def killed_at(point: int) -> Callable[[int, int, float], None]:
    def kill(known: int, num_points: int, seconds: float) -> None:
        if known == point:
            raise Killed

    return kill


def the_file(folder: Path) -> Path:
    (file,) = folder.glob("landscape-*.jsonl")
    return file


def assert_same(a: Landscape, b: Landscape) -> None:
    np.testing.assert_array_equal(a.losses, b.losses)
    np.testing.assert_array_equal(a.errors, b.errors)


@pytest.fixture
def subject(subject_of: MakeSubject) -> Subject:
    return subject_of()


@pytest.fixture
def whole(subject: Subject, tmp_path: Path) -> tuple[Landscape, bytes]:
    """The landscape without any interruption, and its file."""
    landscape = compute_landscape(subject, PLANE, tmp_path / "whole")
    return landscape, the_file(tmp_path / "whole").read_bytes()


def test_killed_at_any_point_it_goes_on_there(subject: Subject, tmp_path: Path, whole: tuple[Landscape, bytes]) -> None:
    folder = tmp_path / "killed"
    for point in (1, 3, 8):
        with pytest.raises(Killed):
            compute_landscape(subject, PLANE, folder, progress=killed_at(point))
        assert the_file(folder).read_bytes() == b"".join(whole[1].splitlines(keepends=True)[: point + 1])
    computed: list[int] = []
    landscape = compute_landscape(subject, PLANE, folder, progress=lambda known, *_: computed.append(known))
    assert computed == [9]
    assert the_file(folder).read_bytes() == whole[1]
    assert_same(landscape, whole[0])
    assert_same(compute_landscape(subject, PLANE, folder, progress=killed_at(9)), whole[0])  # nothing is left to do


def test_every_part_that_a_power_cut_leaves_of_the_file_is_gone_on_from(
    subject: Subject, tmp_path: Path, whole: tuple[Landscape, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "whole" / the_file(tmp_path / "whole").name
    heights = {(i, j): (whole[0].losses[i, j], whole[0].errors[i, j]) for i, j in PLANE.points()}
    monkeypatch.setattr("resnetkit.analysis.landscape_points.Terrain", lambda *_, **__: Recorded(heights, PLANE))
    for length in range(0, len(whole[1]), 23):
        file.write_bytes(whole[1][:length])
        compute_landscape(subject, PLANE, file.parent)
        assert file.read_bytes() == whole[1], length


class Recorded:
    """Stands for the terrain that was computed already."""

    def __init__(self, heights: dict[tuple[int, int], tuple[float, float]], plane: Plane) -> None:
        self.heights, self.steps = heights, plane.steps.tolist()

    def height(self, a: float, b: float) -> Height:
        return Height(*self.heights[self.steps.index(b), self.steps.index(a)])


def test_what_decides_the_numbers_decides_the_file(subject: Subject, tmp_path: Path) -> None:
    sample = subject.shown()
    others = [
        subject,
        replace(subject, seed=1),
        replace(subject, sample=replace(sample, pixels=sample.pixels ^ 1)),
        replace(subject, sample=replace(sample, labels=(sample.labels + 1) % 3)),
        replace(subject, sample=replace(sample, preprocessing=replace(sample.preprocessing, mean=(0.5, 0.5, 0.5)))),
    ]
    for other in others:
        compute_landscape(other, PLANE, tmp_path)
    compute_landscape(subject, Plane(5), tmp_path)
    compute_landscape(subject, Plane(3, 0.5), tmp_path)
    with torch.no_grad():
        subject.network.state_dict()["bn1.running_mean"] += 1
    compute_landscape(subject, PLANE, tmp_path)
    assert len(list(tmp_path.iterdir())) == len(others) + 3
    names = {path.name for path in tmp_path.iterdir()}
    compute_landscape(replace(subject, name="called otherwise"), PLANE, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == names


@pytest.mark.parametrize(
    "damage",
    [
        lambda lines: [lines[0].replace(b'"grid": 3', b'"grid": 5'), *lines[1:]],
        lambda lines: [lines[0], *lines[2:]],
        lambda lines: [*lines, lines[-1]],
        lambda lines: [lines[0], b"[]\n"],
        lambda lines: [b"mine\n"],
    ],
)
def test_a_file_of_other_points_is_refused_and_left_as_it_is(
    subject: Subject, tmp_path: Path, whole: tuple[Landscape, bytes], damage: Callable[[list[bytes]], list[bytes]]
) -> None:
    file = the_file(tmp_path / "whole")
    damaged = b"".join(damage(whole[1].splitlines(keepends=True)))
    file.write_bytes(damaged)
    with pytest.raises(ResnetkitError, match="does not hold the points"):
        compute_landscape(subject, PLANE, file.parent)
    assert file.read_bytes() == damaged
