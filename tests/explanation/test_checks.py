"""Checks of maps: areas of planted truths, correlations of known maps, weights drawn anew in a copy alone."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.small_kinds import KINDS

from resnetkit.classifier.classifier import Classifier
from resnetkit.explanation.checks import NUM_DRAWS, Checker, correlate_ranks, draw_anew, make_blob
from resnetkit.explanation.explaining import iter_explanations
from resnetkit.explanation.explanation import Areas, Asked, Check
from resnetkit.explanation.methods import METHODS, Method
from resnetkit.explanation.subject import Question, Subject
from resnetkit.explanation.words import tell_areas, tell_weights
from resnetkit.images.types import UInt8Images
from resnetkit.inference.torch_engines import open_plain

SIZE = 16
Make = Callable[..., Classifier]


class CornerEngine:
    """Answers by the upper left quarter alone: the brighter it is, the surer of class 1."""

    name = "corner"

    def logits(self, pixels: UInt8Images) -> np.ndarray:
        light = pixels[:, :, : SIZE // 2, : SIZE // 2].astype(np.float32).mean((1, 2, 3)) / 255
        return np.stack([np.zeros_like(light), 8 * light - 4, np.full_like(light, -9)], 1)[:, None]


@pytest.fixture
def classifier(make: Make) -> Classifier:
    return make(KINDS["small images, option A"], SIZE)


@pytest.fixture
def subject(classifier: Classifier) -> Subject:
    return Subject.of(classifier, open_plain(classifier))


def corner() -> np.ndarray:
    values = np.zeros((SIZE, SIZE))
    values[: SIZE // 2, : SIZE // 2] = 1
    return values


@pytest.mark.parametrize("against", [None, 0])
def test_a_map_of_what_matters_deletes_fast_and_inserts_fast(subject: Subject, against: int | None) -> None:
    checker = Checker(replace(subject, engine=CornerEngine()), ())
    question = Question(1, against, "stage2")
    # The corner is as bright as its surroundings are dark, so that a blur takes nothing from the rest.
    pixels = np.full((subject.preprocessing.channels, SIZE, SIZE), 255, np.uint8)
    right, wrong = checker.areas(question, pixels, corner()), checker.areas(question, pixels, -corner())
    assert right.deletion < wrong.deletion - 0.2
    dark = np.where(corner() > 0, 255, 0).astype(np.uint8)[None].repeat(len(pixels), 0)
    assert checker.areas(question, dark, corner()).insertion >= checker.areas(question, dark, -corner()).insertion
    for areas in (right, wrong):
        assert 0 <= areas.deletion <= 1
        assert 0 <= areas.insertion <= 1


@pytest.mark.parametrize("size", [8, SIZE, 28])
def test_deletion_ends_with_the_mean_colour_and_insertion_begins_with_a_blur(subject: Subject, size: int) -> None:
    """Of stripes of pixels, which the blur hides in small images too."""
    asked: list[UInt8Images] = []

    class Watching(CornerEngine):
        def logits(self, pixels: UInt8Images) -> np.ndarray:
            asked.append(pixels)
            return super().logits(pixels)

    stripes = (np.arange(size) % 2 * 255).astype(np.uint8)[None, None].repeat(size, 1).repeat(3, 0)
    checker = Checker(replace(subject, engine=Watching()), ())
    checker.areas(Question(1, None, "stage2"), stripes, make_blob(size))
    deleted, inserted = asked
    assert (deleted[0] == stripes).all()
    assert (deleted[-1] == np.array(subject.preprocessing.fill)[:, None, None]).all()
    assert np.abs(np.diff(inserted[0].astype(int))).max() < 25
    assert (inserted[-1] == stripes).all()


def test_an_answer_that_never_changes_has_its_share_as_area(subject: Subject) -> None:
    class Still:
        name = "still"

        def logits(self, pixels: UInt8Images) -> np.ndarray:
            return np.log(np.array([[[0.2, 0.7, 0.1]]], np.float32)).repeat(len(pixels), 0)

    checker = Checker(replace(subject, engine=Still()), ())
    pixels = np.zeros((subject.preprocessing.channels, SIZE, SIZE), np.uint8)
    areas = checker.areas(Question(1, None, "stage2"), pixels, make_blob(SIZE))
    assert (areas.deletion, areas.insertion) == pytest.approx((0.7, 0.7), abs=1e-6)


def test_rank_correlation_is_spearmans() -> None:
    draws = np.random.default_rng(0).normal(size=(2, 40))
    from scipy.stats import spearmanr

    assert correlate_ranks(*draws) == pytest.approx(spearmanr(*draws).statistic)
    assert correlate_ranks(draws[0], -draws[0]) == -1
    assert correlate_ranks(draws[0], np.zeros(40)) == 0, "a map without values has no order"


def test_weights_are_drawn_anew_in_a_copy_and_only_where_asked(classifier: Classifier) -> None:
    network = classifier.network
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    anew = ("fc", network.stage_names[-1])
    copy = draw_anew(network, anew, seed=1)
    for name, tensor in copy.state_dict().items():
        if not name.startswith(anew):
            assert torch.equal(tensor, before[name]), name
            assert tensor.data_ptr() == network.state_dict()[name].data_ptr(), "not twice in memory"
        elif tensor.ndim > 1:
            assert not torch.equal(tensor, before[name]), name
    again, other = draw_anew(network, ("fc",), seed=1), draw_anew(network, ("fc",), seed=2)
    assert torch.equal(copy.fc.weight, again.fc.weight)
    assert not torch.equal(other.fc.weight, again.fc.weight)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_each_draw_forgets_the_head_and_with_it_the_last_stage(classifier: Classifier, subject: Subject) -> None:
    learned, stage = classifier.network.state_dict(), f"{classifier.network.stage_names[-1]}.0.conv1.weight"
    draws = Checker.of(classifier, subject).forgetful
    heads, both = ([one.network.state_dict() for one in column] for column in zip(*draws, strict=True))
    assert all(torch.equal(tensors[stage], learned[stage]) for tensors in heads)
    for drawn, name in ((heads, "fc.weight"), (both, "fc.weight"), (both, stage)):
        firsts = {float(tensors[name].flatten()[0]) for tensors in drawn} | {float(learned[name].flatten()[0])}
        assert len(firsts) == NUM_DRAWS + 1, name


def test_a_map_that_reads_no_weights_is_found_out(classifier: Classifier, subject: Subject) -> None:
    """Planted: brightness as a map. Beside it, the gradient, which reads all of them."""
    noise = np.random.default_rng(0).integers(0, 256, (subject.preprocessing.channels, SIZE, SIZE), np.uint8)

    class Brightness(Method):
        def compute(self, subject: Subject, question: Question, pixels: UInt8Images) -> np.ndarray:
            return pixels.mean(0).astype(np.float32)

    brightness = Brightness("brightness", "Brightness", "", "", "", is_signed=False, reads_map=False, function="")
    checker, question = Checker.of(classifier, subject), Question(1, None, "stage2")
    baselines = checker.baselines(question, noise)
    assert baselines[0] == checker.areas(question, noise, make_blob(SIZE)) != baselines[1]

    def check(method: Method) -> Check:
        return checker.check(method, question, noise, method.compute(subject, question, noise), baselines)

    blind, seeing = check(brightness), check(METHODS["gradient"])
    assert (blind.head_anew, blind.last_stage_anew) == (1, 1)
    assert not blind.shows_what_was_learned
    assert "hardly depends" in tell_weights(blind)
    assert seeing.last_stage_anew < 0.9
    assert (seeing.blob, seeing.random) == baselines


def test_words_tell_the_baselines_beside_the_map() -> None:
    words = tell_areas(Check(Areas(0.1, 0.6), Areas(0.2, 0.4), Areas(0.3, 0.35), 0.5, 0.1))
    for number in ("0.60", "0.40", "0.35", "0.10", "0.20", "0.30"):
        assert number in words
    assert "it depends on what was learned" in tell_weights(Check(*[Areas(0, 0)] * 3, 0.5, 0.1))


def test_checks_come_with_the_maps_that_were_asked_for(classifier: Classifier) -> None:
    image = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE), np.uint8)
    (row,) = iter_explanations(classifier, [image], Asked(("grad_cam", "gradient"), check=True), tell=lambda text: None)
    first, second = (heat.check for heat in row.maps)
    assert first is not None
    assert second is not None
    assert first.blob == second.blob
    (plain,) = iter_explanations(classifier, [image], Asked(), tell=lambda text: None)
    assert plain.maps[0].check is None
