"""Networks with blocks left out or swapped."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.small_classifiers import SMALL

from resnetkit.analysis.figure import Lines
from resnetkit.analysis.lesions import Lesion, LesionStudy, draw_lesions, show_lesions, study_lesions
from resnetkit.analysis.rewiring import (
    Wiring,
    draw_swapped,
    draw_without,
    keeps_shape,
    kendall_tau,
    leave_out,
    score_wirings,
    whole,
    without,
)
from resnetkit.analysis.sample import Sample
from resnetkit.analysis.subject import Subject
from resnetkit.evaluation.metrics import Accuracy
from resnetkit.models.block import ResidualBlock
from resnetkit.models.catalog import find_entry
from resnetkit.models.places import iter_places
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import (
    BASIC,
    BASIC_PREACT,
    OWN_BN_ACT_CONV,
    ZERO_PAD,
    Block,
    DropoutAdd,
    GatedAdd,
    NoSkip,
    ResNetSpec,
    ScaledAdd,
)
from resnetkit.pages.formatting import percent

BLOCKS = {
    "v1": BASIC,
    "v2": BASIC_PREACT,
    "option A": replace(BASIC, projection=ZERO_PAD),
    "own norm": replace(BASIC_PREACT, projection=OWN_BN_ACT_CONV),
    "forks behind": replace(BASIC_PREACT, identity_reads="preact"),
    "scaled": replace(BASIC, join=ScaledAdd(0.5, 0.7)),
    "gated": replace(BASIC, join=GatedAdd(gate_bias=0.0)),
    "exclusive": replace(BASIC, join=GatedAdd(exclusive=True)),
    "dropped": replace(BASIC, join=DropoutAdd()),
}


def silence(block: ResidualBlock) -> None:
    """Make a block's branch give zeros."""
    last = [name for name in block.branch if name.startswith(("conv", "bn"))][-1]
    for parameter in block.get_submodule(last).parameters():
        torch.nn.init.zeros_(parameter)


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
def test_a_block_whose_branch_is_zero_is_not_missed(subject_of: Callable[..., Subject], block: Block) -> None:
    network = subject_of(replace(SMALL, block=block, depths=(2, 2))).network
    x = torch.randn(2, 4, 16, 16)
    with torch.inference_mode():
        for _, child in network.iter_blocks():
            before = x.clone()
            has_branch = child(x)
            assert not torch.allclose(leave_out(child, x), has_branch)
            silence(child)
            torch.testing.assert_close(leave_out(child, x), child(x))
            assert torch.equal(x, before)  # others still read it
            x = has_branch


def test_past_a_plain_block_goes_the_map_that_it_reads(subject_of: Callable[..., Subject], plain: ResNetSpec) -> None:
    network = subject_of(plain).network
    x = torch.randn(2, 4, 16, 16)
    assert torch.equal(leave_out(network.get_submodule("layer1.0"), x), x)  # type: ignore[arg-type]
    smaller = leave_out(network.get_submodule("layer2.0"), x)  # type: ignore[arg-type]
    assert torch.equal(smaller[:, :4], x[:, :, ::2, ::2])
    assert smaller.shape == (2, 8, 8, 8)
    assert not smaller[:, 4:].any()


def run(network: ResNet, wiring: Wiring, images: torch.Tensor) -> torch.Tensor:
    """A rewired network's logits, block after block."""
    blocks = [block for _, block in network.iter_blocks()]
    x = network.stem(images)
    for own, way in zip(blocks, wiring, strict=True):
        x = leave_out(own, x) if way is None else blocks[way](x)
    return network.answer_from(x)


@pytest.mark.parametrize("join", [BASIC.join, NoSkip()])
def test_what_is_shared_gives_the_scores_of_each_wiring_alone(
    subject_of: Callable[..., Subject], sample: Sample, inputs: torch.Tensor, join: object
) -> None:
    network = subject_of(replace(SMALL, depths=(3, 3), block=replace(BASIC, join=join))).network
    wirings = [whole(6), *(without(6, [i]) for i in range(6)), (0, 2, 1, 3, 4, 5), (0, 2, None, 3, 5, 4), whole(6)]
    labels = torch.from_numpy(sample.labels)
    with torch.inference_mode():
        answers = [run(network, wiring, inputs).argmax(1) for wiring in wirings]
        expected = [int((answer == labels).sum()) for answer in answers]
    assert [score.correct for score in score_wirings(network, sample, wirings)] == expected
    assert len(set(expected)) > 1
    assert torch.equal(answers[0], network(inputs).argmax(1))


def test_what_comes_before_a_lesion_is_computed_once(
    subject_of: Callable[..., Subject], sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, calls = subject_of().network, Counter[int]()
    forward = ResidualBlock.forward

    def counted(block: ResidualBlock, x: torch.Tensor) -> torch.Tensor:
        calls[id(block)] += 1
        return forward(block, x)

    monkeypatch.setattr(ResidualBlock, "forward", counted)
    score_wirings(network, sample, [whole(6), *(without(6, [i]) for i in range(6))])
    # The first block runs for all that have it, at once; the last one for the whole and each earlier lesion.
    assert sorted(calls.values()) == [1, 2, 3, 4, 5, 6]


def test_blocks_of_equal_weights_can_be_swapped(subject_of: Callable[..., Subject], inputs: torch.Tensor) -> None:
    network = subject_of().network
    one, other = network.get_submodule("layer1.1"), network.get_submodule("layer1.2")
    swapped = (0, 2, 1, 3, 4, 5)
    with torch.inference_mode():
        assert not torch.allclose(run(network, swapped, inputs), network(inputs))
        other.load_state_dict(one.state_dict())
        torch.testing.assert_close(run(network, swapped, inputs), network(inputs))


def test_what_is_drawn_keeps_the_shape_and_the_stage() -> None:
    spec = find_entry("resnet20").spec
    places, draw = list(iter_places(spec)), np.random.default_rng(0)
    missed, moved = Counter[int](), Counter[int]()
    for _ in range(50):
        (_, one), (count, out) = draw_without(spec, [1, 3], draw)
        missed.update(i for i, way in enumerate(one) if way is None)
        assert (count, one.count(None), out.count(None)) == (3, 1, 3)
        assert all(way is None for way, less in zip(out, one, strict=True) if less is None)
        (_, once), (count, twice) = draw_swapped(spec, [1, 2], draw)
        assert count == 2
        for order in (once, twice):
            assert sorted(way for way in order if way is not None) == list(range(9))
            assert all(way is not None and places[way].stage == places[own].stage for own, way in enumerate(order))
        assert sum(way != own for own, way in enumerate(once)) == 2
        assert sum(way != before for way, before in zip(twice, once, strict=True)) == 2
        moved.update(own for own, way in enumerate(once) if way != own)
    assert set(missed) == set(moved) == {i for i, place in enumerate(places) if keeps_shape(place)}
    assert set(missed) == {0, 1, 2, 4, 5, 7, 8}


def test_kendalls_tau_is_that_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    order = np.random.default_rng(0).permutation(9).tolist()
    assert kendall_tau(order) == pytest.approx(stats.kendalltau(range(9), order).statistic)


def test_the_study_says_what_the_scores_are(subject_of: Callable[..., Subject]) -> None:
    subject = subject_of()
    study = study_lesions(subject.network, subject.shown(), num_draws=2)
    figure = show_lesions(subject)
    alone = score_wirings(subject.network, subject.shown(), [without(6, [number]) for number in range(6)])
    assert study.each == dict(zip([name for name, _ in subject.network.iter_blocks()], alone, strict=True))
    assert len({score.correct for score in alone}) > 1
    assert study.whole.num_images == 12
    assert figure.numbers["top1"] == study.whole.value
    assert f"{percent(study.median, 1)} (median)" in figure.seen
    assert {lesion.count for lesion in study.some} == {1, 2, 3}
    assert all(lesion.tau < 1 for lesion in study.swapped if lesion.count == 1)


def test_the_figure_shows_means_and_the_extremes_of_the_draws() -> None:
    def lesion(correct: int, count: int, tau: float = 1.0) -> Lesion:
        return Lesion(Accuracy.of(correct, 10), count, tau)

    each = {f"layer1.{i}": Accuracy.of(correct, 10) for i, correct in enumerate((8, 3, 7))}
    some = lesion(8, 1), lesion(4, 1), lesion(3, 2), lesion(1, 2)
    swapped = lesion(7, 1, 0.2), lesion(5, 1, 0.4), lesion(6, 2, 0.9), lesion(4, 2, 0.7)
    figure = draw_lesions(LesionStudy(Accuracy.of(9, 10), each, some, swapped), replace(SMALL, num_classes=5))
    left_out, swaps, by_tau = (panel.lines[0] for panel in figure.panels if isinstance(panel, Lines))
    assert (left_out.x, left_out.low, left_out.high) == ((0, 1, 2), (0.9, 0.4, 0.1), (0.9, 0.8, 0.3))
    assert left_out.y == pytest.approx((0.9, 0.6, 0.2))
    assert swaps.y == pytest.approx((0.9, 0.6, 0.5))
    assert (by_tau.x, by_tau.y) == (pytest.approx((0.3, 0.8, 1.0)), pytest.approx((0.6, 0.5, 0.9)))
    assert figure.numbers == pytest.approx(
        {"top1": 0.9, "median_top1_without_one": 0.7, "least_top1_without_one": 0.3, "top1_of_guessing": 0.2}
        | {"several": 2, "top1_without_several": 0.2, "top1_after_several_swaps": 0.5}
    )
    assert f"{percent(0.3, 1)} without layer1.1" in figure.seen


def test_a_network_of_too_few_blocks_has_each_left_out_alone(subject_of: Callable[..., Subject]) -> None:
    figure = show_lesions(subject_of(replace(SMALL, depths=(1, 1))))
    assert [panel.title for panel in figure.panels] == ["one block left out"]
    assert "too few blocks keep the shape to draw from them" in figure.notes


def test_where_nothing_can_be_swapped_no_swap_is_told_of(subject_of: Callable[..., Subject]) -> None:
    figure = show_lesions(subject_of(replace(SMALL, depths=(2, 2), widths=(8, 16))))  # the stem's 4 channels become 8
    assert [panel.title for panel in figure.panels] == ["one block left out", "several blocks left out"]
    assert "swaps" not in figure.seen
    assert "no stage has two blocks that keep the shape, to swap them" in figure.notes


def test_a_classifier_that_averages_mirror_images_is_told_that_these_are_not(
    subject_of: Callable[..., Subject],
) -> None:
    subject = subject_of(replace(SMALL, depths=(1, 1)))
    sample = subject.shown()
    mirrored = replace(sample, preprocessing=replace(sample.preprocessing, average_mirrored=True))
    notes = [show_lesions(replace(subject, sample=one)).notes for one in (sample, mirrored)]
    assert notes[1][:-1] == notes[0]
    assert "mirror image" in notes[1][-1]
