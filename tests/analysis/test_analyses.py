"""Analysing whatever is named: what can be measured of it, and that it is left as it was."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.small_classifiers import SMALL

import resnetkit
from resnetkit.analysis.analyses import USUAL, Analysis, analyze, analyze_subject
from resnetkit.analysis.sample import Sample
from resnetkit.analysis.sample_reading import Choice
from resnetkit.analysis.subject import Subject, open_subject, settle_norms
from resnetkit.classifier.classifier import Classifier
from resnetkit.config import from_dict, to_dict
from resnetkit.errors import ResnetkitError
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import ResNetSpec


def state_of(subject: Subject) -> tuple[object, ...]:
    """All that a measurement could leave changed."""
    network = subject.network
    modules = list(network.modules())
    hooks = sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in modules)
    backward = sum(len(module._backward_hooks) + len(module._backward_pre_hooks) for module in modules)
    return (
        {name: tensor.clone() for name, tensor in network.state_dict().items()},
        [module.training for module in modules],
        [(parameter.grad is None, parameter.requires_grad) for parameter in network.parameters()],
        hooks + backward,
        torch.is_grad_enabled(),
        torch.random.get_rng_state(),
    )


@pytest.mark.parametrize("name", USUAL)
def test_a_figure_leaves_the_network_as_it_was_is_the_same_again_and_goes_through_json(
    subject_of: Callable[..., Subject], name: str
) -> None:
    subject = subject_of()
    before = state_of(subject)
    first = analyze_subject(subject, [name])
    torch.testing.assert_close(state_of(subject), before, rtol=0, atol=0)
    assert first.figures == analyze_subject(subject, [name]).figures
    assert first.figures[0].name == name
    assert from_dict(Analysis, json.loads(json.dumps(to_dict(first), allow_nan=False))) == first


@pytest.mark.parametrize("name", USUAL)
def test_a_plain_network_has_every_figure_too(subject_of: Callable[..., Subject], plain: ResNetSpec, name: str) -> None:
    (figure,) = analyze_subject(subject_of(plain), [name]).figures
    assert figure.name == name
    assert figure.seen


def test_a_name_has_fresh_weights_and_says_what_it_lacks() -> None:
    analysis = resnetkit.analyze("resnet20", figures=["responses", "paths"])
    assert not analysis.is_trained
    assert {entry.name: entry.reason for entry in analysis.left_out}["responses"] == "needs images (give data)"


def test_too_few_images_to_compare_by_leave_that_figure_out_alone(subject_of: Callable[..., Subject]) -> None:
    subject = subject_of()
    few = replace(subject, sample=subject.shown().some(3))
    analysis = analyze_subject(few, ["responses", "similarity"])
    assert [figure.name for figure in analysis.figures] == ["responses"]
    assert [(one.name, one.reason) for one in analysis.left_out] == [
        ("similarity", "needs at least 4 images (give more)")
    ]


def test_a_name_on_data_has_their_classes_and_channels() -> None:
    analysis = analyze("resnet20[depths=[1,1,1]]", "digits", figures=["responses"], num_images=30)
    assert (analysis.num_images, analysis.data) == (30, "digits, split test")
    assert analysis.figures[0].numbers["mean_std"] == pytest.approx(1, abs=0.01)  # its norms do what they are there for


def test_settled_norms_have_the_statistics_of_the_images_and_are_in_use(
    subject_of: Callable[..., Subject], sample: Sample, inputs: torch.Tensor
) -> None:
    network = subject_of().network
    settle_norms(network, sample)
    with torch.inference_mode():
        stem = network.conv1(inputs)
    torch.testing.assert_close(network.bn1.running_mean, stem.mean((0, 2, 3)))
    torch.testing.assert_close(network.bn1.running_var, stem.var((0, 2, 3)))
    assert not any(module.training for module in network.modules())
    assert network.bn1.momentum == 0.1


def make_classes(folder: Path, *names: str) -> None:
    """Three images of each class."""
    for place, name in enumerate(names):
        (folder / name).mkdir()
        for number in range(3):
            Image.fromarray(np.full((16, 16, 3), 40 * number + place, np.uint8)).save(folder / name / f"{number}.png")


def test_labels_are_places_among_the_classifier_s_classes(make: Callable[..., Classifier], tmp_path: Path) -> None:
    make_classes(tmp_path, "class 0", "class 2")
    sample = open_subject(make(), str(tmp_path)).shown()
    assert sorted(zip(sample.labels, sample.pixels[:, 0, 0, 0] % 40, strict=True)) == [(0, 0)] * 3 + [(2, 1)] * 3


def test_images_of_other_classes_are_looked_at_and_nothing_is_scored(
    make: Callable[..., Classifier], tmp_path: Path
) -> None:
    make_classes(tmp_path, "oak", "elm")
    analysis = analyze(make(), str(tmp_path), figures=["responses", "gradients", "paths", "lesions"])
    assert [figure.name for figure in analysis.figures] == ["responses", "gradients", "paths"]
    assert {entry.name: entry.reason for entry in analysis.left_out} == {
        "lesions": "needs images of the network's classes (give other data)"
    }
    assert "labels are drawn at random" in analysis.figures[1].notes
    assert any("nothing is scored" in remark for remark in analysis.remarks)


@pytest.mark.parametrize("name", ["responses", "branches", "lesions", "similarity", "norms"])
def test_images_count_alike_whatever_their_batch(
    subject_of: Callable[..., Subject], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    subject, in_batches = subject_of(), Sample.batches
    at_once = analyze_subject(subject, [name]).figures[0].numbers
    monkeypatch.setattr(Sample, "batches", lambda sample, device: in_batches(sample, device, 5))
    assert analyze_subject(subject, [name]).figures[0].numbers == pytest.approx(at_once, rel=1e-5)


@pytest.mark.parametrize("name", ["lesions", "paths"])
def test_another_seed_draws_other_blocks(subject_of: Callable[..., Subject], name: str) -> None:
    subject = subject_of()
    one, other = (analyze_subject(replace(subject, seed=seed), [name]).figures[0].panels for seed in (0, 1))
    assert one != other


def test_a_network_without_a_head_has_gradients_too() -> None:
    subject = Subject("a network", ResNet(replace(SMALL, num_classes=None)).eval(), is_trained=False)
    (figure,) = analyze_subject(subject, ["gradients"]).figures
    assert "no images were given: these are noise, with labels drawn at random" in figure.notes


def test_weights_that_are_no_numbers_are_refused(make: Callable[..., Classifier]) -> None:
    classifier = make()
    with torch.no_grad():
        classifier.network.fc.bias[0] = float("nan")
    with pytest.raises(ResnetkitError, match="no numbers"):
        analyze(classifier, figures=["filters"])


def test_a_run_is_shown_its_own_test_images(pretrained: Path) -> None:
    analysis = analyze(pretrained, figures=["responses"], num_images=50)
    assert analysis.is_trained
    assert analysis.data.endswith("split test")
    assert not analysis.remarks


def test_images_that_were_trained_on_are_told_of(pretrained: Path) -> None:
    analysis = analyze(pretrained, figures=["responses"], num_images=10, split="train")
    assert "the weights were trained on 10 of the 10 images" in analysis.remarks


def test_a_mistyped_figure_is_refused_before_anything_is_opened(make: Callable[..., Classifier]) -> None:
    with pytest.raises(ResnetkitError, match="did you mean 'responses'"):
        analyze("nowhere", figures=["response"])


def test_a_seed_chooses_the_images(pretrained: Path) -> None:
    one, again, other = (open_subject(pretrained, choice=Choice(20), seed=seed).shown() for seed in (0, 0, 1))
    assert np.array_equal(one.pixels, again.pixels)
    assert not np.array_equal(one.pixels, other.pixels)
    assert set(one.labels) == set(other.labels) == set(range(10))


def test_some_of_a_sample_are_spread_over_it(sample: Sample) -> None:
    assert np.array_equal(sample.some(3).pixels, sample.pixels[[0, 6, 11]])
    assert np.array_equal(sample.some(3).labels, sample.labels[[0, 6, 11]])
    assert sample.some(100) is sample
