"""ResNetFeatures gives what a network's head reads, or another map's averages, to other estimators."""

import copy
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from tests.small_estimators import digits

from resnetkit import Classifier, ResNetFeatures, ResnetkitError
from resnetkit.estimators import image_features
from resnetkit.images.normalization import normalize
from resnetkit.models.resnet import ResNet, create_model

PHOTOS = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)


def head(classifier: Classifier, features: np.ndarray) -> np.ndarray:
    logits: np.ndarray = classifier.network.fc(torch.from_numpy(features)).detach().numpy()
    return logits


@pytest.mark.parametrize("average_mirrored", [False, True])
def test_the_head_makes_of_them_what_the_network_answers(
    make: Callable[..., Classifier], average_mirrored: bool
) -> None:
    classifier = make(average_mirrored=average_mirrored)
    features = ResNetFeatures(weights=classifier, batch_size=2).fit_transform(PHOTOS)
    assert (features.shape, features.dtype) == ((5, 8), np.float32)
    images = normalize(torch.from_numpy(PHOTOS.transpose(0, 3, 1, 2)), classifier.preprocessing)
    views = [images, images.flip(3)] if average_mirrored else [images]
    with torch.no_grad():
        expected = torch.stack([classifier.network(view) for view in views]).mean(0).numpy()
    np.testing.assert_allclose(head(classifier, features), expected, atol=1e-5)


def test_the_network_that_is_kept_is_on_the_cpu_wherever_the_classifier_is(
    make: Callable[..., Classifier], monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier, moved = make(), []

    def move(network: ResNet, device: torch.device) -> ResNet:
        moved.append((network, device))
        return copy.deepcopy(network)

    monkeypatch.setattr(image_features, "on_device", move)
    fitted = ResNetFeatures(weights=classifier).fit()
    assert moved == [(classifier.network, torch.device("cpu"))]
    assert fitted.network_ is not classifier.network


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_of_a_classifier_on_a_gpu_a_copy_is_kept(make: Callable[..., Classifier]) -> None:
    classifier = make()
    classifier.network.to("cuda")
    fitted = ResNetFeatures(weights=classifier).fit()
    assert next(fitted.network_.parameters()).device.type == "cpu"
    assert classifier.device.type == "cuda"


@pytest.mark.parametrize(("layer", "number"), [("stem", 4), ("stage1", 4), ("stage2", 8), (None, 8)])
def test_any_map_of_the_network_can_be_asked_for(
    make: Callable[..., Classifier], layer: str | None, number: int
) -> None:
    classifier = make()
    estimator = ResNetFeatures(weights=classifier, layer=layer).fit()
    features = estimator.transform(PHOTOS)
    assert features.shape == (5, number)
    assert estimator.get_feature_names_out().tolist() == [f"resnetfeatures{i}" for i in range(number)]
    if layer is not None:
        images = normalize(torch.from_numpy(PHOTOS.transpose(0, 3, 1, 2)), classifier.preprocessing)
        with torch.no_grad():
            expected = classifier.network.forward_to(layer, images).mean((2, 3)).numpy()
        np.testing.assert_allclose(features, expected, atol=1e-5)


def test_a_file_gives_the_same_features_and_weights_need_no_head(
    make: Callable[..., Classifier], tmp_path: Path
) -> None:
    classifier = make()
    classifier.save(tmp_path / "classifier.safetensors")
    expected = ResNetFeatures(weights=classifier).fit_transform(PHOTOS)
    np.testing.assert_array_equal(
        ResNetFeatures(weights=tmp_path / "classifier.safetensors").fit_transform(PHOTOS), expected
    )
    network = create_model("resnet20", num_classes=None).eval()
    torch.save(network.state_dict(), tmp_path / "headless.pth")
    preprocessing = {"mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25), "image_size_px": 16, "resize_px": 16}
    estimator = ResNetFeatures("resnet20", tmp_path / "headless.pth", preprocessing=preprocessing).fit()
    images = normalize(torch.from_numpy(PHOTOS.transpose(0, 3, 1, 2)), estimator.preprocessing_)
    with torch.no_grad():
        np.testing.assert_allclose(estimator.transform(PHOTOS), network.embed(images).numpy(), atol=1e-5)


def test_what_a_file_does_not_say_is_warned_of(tmp_path: Path) -> None:
    torch.save(create_model("resnet20").state_dict(), tmp_path / "weights.pth")
    with pytest.warns(UserWarning, match="does not say how its images are prepared"):
        ResNetFeatures("resnet20", tmp_path / "weights.pth").fit(PHOTOS)


def test_it_can_be_pickled_and_copied(make: Callable[..., Classifier]) -> None:
    estimator = ResNetFeatures(weights=make()).fit(PHOTOS)
    for copied in (pickle.loads(pickle.dumps(estimator)), copy.deepcopy(estimator)):
        np.testing.assert_array_equal(copied.transform(PHOTOS), estimator.transform(PHOTOS))


def test_no_images_have_no_features(make: Callable[..., Classifier]) -> None:
    assert ResNetFeatures(weights=make()).fit().transform([]).shape == (0, 8)


def test_a_pipeline_learns_from_them(make: Callable[..., Classifier]) -> None:
    images, numbers = digits()
    pipeline = make_pipeline(ResNetFeatures(weights=make()), LogisticRegression(max_iter=1000))
    assert cross_val_score(pipeline, images, numbers, cv=3).mean() > 0.5  # a third by guessing: its weights are random


def test_what_cannot_be_is_refused(make: Callable[..., Classifier]) -> None:
    classifier = make()
    with pytest.raises(NotFittedError):
        ResNetFeatures(weights=classifier).transform(PHOTOS)
    for estimator, said in (
        (ResNetFeatures(), "features of which weights"),
        (ResNetFeatures("resnet18"), "features of which weights"),
        (ResNetFeatures(weights=classifier, layer="stage3"), "no layer 'stage3': the network has stem, stage1, stage2"),
        (ResNetFeatures("resnet18", classifier), "a classifier has network of its own"),
        (ResNetFeatures(weights="none.pth"), "none.pth"),
    ):
        with pytest.raises(ResnetkitError, match=said):
            estimator.fit(PHOTOS)
    with pytest.raises(ResnetkitError, match="image 1 is not a JPEG"):
        ResNetFeatures(weights=classifier).fit().transform([PHOTOS[0], b"nothing"])
