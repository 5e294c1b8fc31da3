"""The classifier file and what it answers."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from resnetkit.classifier.classifier import Classifier, load_classifier
from resnetkit.classifier.decision import Decision
from resnetkit.classifier.description import FORMAT
from resnetkit.classifier.file import FILE_NAME, find_classifier, read_description
from resnetkit.classifier.prediction import Predictor
from resnetkit.config import to_dict
from resnetkit.data.seen import SeenImages, pack_digests
from resnetkit.errors import Code, ResnetkitError
from resnetkit.images.spec import Limits, Preprocessing
from resnetkit.inference.predictors import open_predictor
from resnetkit.inference.torch_engines import plain_predictor
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import BASIC_PREACT, STEM_3X3, ResNetSpec

SPEC = ResNetSpec(BASIC_PREACT, (1,), (8,), (2,), stem=replace(STEM_3X3, widths=(4,)), num_classes=3)
PREPROCESSING = Preprocessing(8, 10, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3))
NAMES = ("köttur", "dog", "猫")


def make(**changes: object) -> Classifier:
    network = ResNet(SPEC)
    network(3 * torch.randn(16, 3, 8, 8) + 1)  # statistics that are not 0 and 1
    settings = {"network": network, "preprocessing": PREPROCESSING, "class_names": NAMES, **changes}
    return Classifier(**settings)  # type: ignore[arg-type]


def answering(**changes: object) -> Predictor:
    return plain_predictor(make(**changes))


def noise(seed: int, width: int = 14, height: int = 11) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{seed}.png" for seed in range(5)]
    for seed, path in enumerate(paths):
        Image.fromarray(noise(seed)).save(path)
    return paths


# --- the file ---


def test_the_images_it_has_met_travel_with_it_beside_the_tensors(tmp_path: Path) -> None:
    seen = SeenImages(train=pack_digests(np.array([1, 2**64 - 1], np.uint64)), is_complete=False)
    classifier = make(seen=seen)
    classifier.save(tmp_path / "first.safetensors")
    loaded = load_classifier(tmp_path / "first.safetensors")
    assert loaded.seen == seen
    assert loaded.to_bytes() == classifier.to_bytes()
    with safe_open(tmp_path / "first.safetensors", framework="pt") as opened:
        assert set(opened.keys()) == set(classifier.network.state_dict()), "others load it strictly"


def test_a_classifier_of_a_version_that_kept_no_digests_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "old.safetensors"
    make().save(path)
    with safe_open(path, framework="pt") as opened:
        assert "seen" not in json.loads(opened.metadata()["resnetkit"])
    assert load_classifier(path).seen is None


def test_its_decision_travels_with_it_where_it_is_not_the_usual_one(tmp_path: Path) -> None:
    make(decision=Decision(temperature=1.5)).save(tmp_path / "calibrated.safetensors")
    assert load_classifier(tmp_path / "calibrated.safetensors").decision == Decision(temperature=1.5)
    make().save(tmp_path / "usual.safetensors")
    assert load_classifier(tmp_path / "usual.safetensors").decision == Decision()
    assert "decision" not in json.loads(_metadata(tmp_path / "usual.safetensors"))


@pytest.mark.parametrize("seen", [7, {"train": 3}, {"trained": ""}, {"is_complete": "?"}])
def test_a_damaged_list_of_images_is_refused(tmp_path: Path, seen: object) -> None:
    path = tmp_path / "damaged.safetensors"
    make(seen=SeenImages()).save(path)
    tensors, description = load_file(path), json.loads(_metadata(path))
    save_file(tensors, path, metadata={"resnetkit": json.dumps({**description, "seen": seen})})
    with pytest.raises(ResnetkitError, match="is not valid") as raised:
        load_classifier(path)
    assert raised.value.code is Code.WEIGHTS


def _metadata(path: Path) -> str:
    with safe_open(path, framework="pt") as opened:
        return opened.metadata()["resnetkit"]


def test_a_saved_classifier_is_the_same_when_loaded(tmp_path: Path, files: list[Path]) -> None:
    provenance = {"data": "digits", "epochs": 3, "scores": {"val_top1": 0.97, "a": None}}
    classifier = make(provenance=provenance)
    classifier.save(tmp_path / "first.safetensors")
    loaded = load_classifier(tmp_path / "first.safetensors")
    assert (loaded.class_names, loaded.preprocessing, loaded.network.spec) == (NAMES, PREPROCESSING, SPEC)
    assert loaded.provenance == provenance
    assert not loaded.network.training
    before, after = plain_predictor(classifier).predict_proba(files), plain_predictor(loaded).predict_proba(files)
    np.testing.assert_allclose(after, before, atol=1e-6)
    loaded.save(tmp_path / "second.safetensors")
    assert (tmp_path / "second.safetensors").read_bytes() == (tmp_path / "first.safetensors").read_bytes()
    again = load_classifier(tmp_path / "second.safetensors")
    assert np.array_equal(plain_predictor(again).predict_proba(files), after)


SAVE_ONE = """
import hashlib, sys, torch
from pathlib import Path
from resnetkit.classifier.classifier import Classifier
from resnetkit.images.spec import Preprocessing
from resnetkit.models.resnet import create_model
torch.manual_seed(0)
torch.set_num_threads(1)
network = create_model("tutorial_preact", depths=(1, 1, 1))
names = tuple("abcdefghij")
Classifier(network, Preprocessing(28, 28, 1, (0.5,), (0.5,)), names, {"z": 1, "a": 2, "m": 3}).save(sys.argv[1])
print(hashlib.sha256(Path(sys.argv[1]).read_bytes()).hexdigest())
"""


@pytest.mark.slow
def test_the_same_classifier_gives_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SAVE_ONE, str(tmp_path / f"{seed}.safetensors")],
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    hashes = [process.communicate()[0].strip() for process in processes]
    assert len(hashes[0]) == 64
    assert hashes[0] == hashes[1]


def test_the_file_says_all_that_using_it_needs(tmp_path: Path) -> None:
    make().save(tmp_path / "a.safetensors")
    with safe_open(tmp_path / "a.safetensors", "pt") as opened:
        description = json.loads(opened.metadata()["resnetkit"])
    assert description["format"] == FORMAT
    assert description["class_names"] == list(NAMES)
    assert description["preprocessing"]["mean"] == [0.5, 0.4, 0.3]
    assert description["model"]["depths"] == [1]


def rewrite(path: Path, **changes: object) -> None:
    """The file again with parts of its description changed; None removes one."""
    with safe_open(path, "pt") as opened:
        description = json.loads(opened.metadata()["resnetkit"])
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    description.update(changes)
    description = {name: value for name, value in description.items() if value is not None}
    save_file(tensors, path, {"resnetkit": json.dumps(description)})


def test_limits_are_kept_and_usual_where_a_file_has_none(tmp_path: Path, files: list[Path]) -> None:
    path, limits = tmp_path / "a.safetensors", Limits(max_pixels=100, max_file_bytes=10_000)
    make(limits=limits).save(path)
    assert load_classifier(path).limits == read_description(path).limits == limits
    assert (
        "more than the limit of 100 (--max-pixels)" in open_predictor(path, engine="torch").predict(files[:1])[0].reason
    )
    rewrite(path, limits=None)
    assert load_classifier(path).limits == Limits()


def test_a_file_from_before_images_were_fitted_is_read_as_cropping(tmp_path: Path) -> None:
    path, old = tmp_path / "old.safetensors", to_dict(PREPROCESSING)
    make().save(path)
    del old["fit"]
    rewrite(path, preprocessing=old)
    assert load_classifier(path).preprocessing == PREPROCESSING
    assert PREPROCESSING.fit == "crop"


FOREIGN = {
    "another format": ({"format": "resnetkit classifier 9"}, "this version reads"),
    "no network": ({"model": None}, "is damaged"),
    "no class names": ({"class_names": None}, "'class_names' is missing"),
    "class names of another kind": ({"class_names": 3}, "is not valid"),
    "too few class names": ({"class_names": ["a", "b"]}, "3 classes, 2 names"),
    "a network of unknown fields": (
        {"model": {"block": {}, "depths": [1], "blocks": 3}},
        "unknown field 'model.blocks'",
    ),
    "a network that cannot be": ({"model": {"block": {}, "depths": []}}, "depths, widths and strides"),
    "a network for other weights": ({"model": {"block": {}, "depths": [1, 1, 1, 1]}}, "do not fit"),
    "preprocessing for other channels": (
        {"preprocessing": {"image_size_px": 8, "resize_px": 8, "channels": 1, "mean": [0], "std": [1]}},
        "reads 3 channels",
    ),
    "preprocessing of another kind": ({"preprocessing": "none"}, "is not valid"),
    "limits of another kind": ({"limits": {"max_pixels": "many"}}, "is not valid"),
    "no limits at all": ({"limits": {"max_pixels": 0}}, "is not valid"),
    "provenance of another kind": ({"provenance": 3}, "is not valid"),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_a_file_with_a_description_that_does_not_hold_is_refused(tmp_path: Path, case: str) -> None:
    changes, message = FOREIGN[case]
    path = tmp_path / "a.safetensors"
    make().save(path)
    rewrite(path, **changes)
    with pytest.raises(ResnetkitError, match=message) as raised:
        load_classifier(path)
    assert raised.value.code is Code.WEIGHTS
    assert str(path) in raised.value.what


def test_a_description_that_is_no_description_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    for text in ("{", "[]", "3", "null", "[" * 100_000):
        save_file({"a": torch.ones(1)}, path, {"resnetkit": text})
        with pytest.raises(ResnetkitError, match="is damaged") as raised:
            load_classifier(path)
        assert raised.value.code is Code.WEIGHTS


def test_a_damaged_file_is_refused_wherever_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    make().save(path)
    content = path.read_bytes()
    for length in [0, 7, 8, 100, len(content) // 2, len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(ResnetkitError, match="not a readable classifier") as raised:
            load_classifier(path)
        assert raised.value.code is Code.WEIGHTS


def test_a_file_with_a_missing_tensor_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    make().save(path)
    with safe_open(path, "pt") as opened:
        metadata, tensors = opened.metadata(), {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    del tensors["fc.bias"]
    save_file(tensors, path, metadata)
    with pytest.raises(ResnetkitError, match=r"1 missing: fc\.bias"):
        load_classifier(path)


def test_other_files_are_told_apart(tmp_path: Path) -> None:
    save_file({"a": torch.ones(1)}, tmp_path / "weights.safetensors")
    with pytest.raises(ResnetkitError, match="holds weights, but no network") as raised:
        load_classifier(tmp_path / "weights.safetensors")
    assert raised.value.code is Code.WEIGHTS
    torch.save({"a": torch.ones(1)}, tmp_path / "weights.pt")
    with pytest.raises(ResnetkitError, match="not a readable classifier"):
        load_classifier(tmp_path / "weights.pt")


def test_a_run_folder_stands_for_its_classifier(tmp_path: Path) -> None:
    make().save(tmp_path / "run" / FILE_NAME)
    assert find_classifier(tmp_path / "run") == tmp_path / "run" / FILE_NAME
    assert find_classifier(tmp_path / "run" / FILE_NAME) == tmp_path / "run" / FILE_NAME
    assert load_classifier(tmp_path / "run").class_names == NAMES


def test_what_holds_no_classifier_is_explained(tmp_path: Path) -> None:
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    (unfinished / "recipe.json").touch()  # the first thing in it; checkpoints come later
    (tmp_path / "other").mkdir()
    for path, why, fix in (
        (unfinished, "has not finished", f"--resume {unfinished}"),
        (tmp_path / "other", "not a run folder", "give a run folder"),
        (tmp_path / "nowhere", "", "resnetkit train"),
    ):
        with pytest.raises(ResnetkitError) as raised:
            find_classifier(path)
        assert raised.value.code is Code.WEIGHTS
        assert str(path) in raised.value.what
        assert why in raised.value.why
        assert fix in raised.value.fix


def test_names_and_channels_must_be_the_networks() -> None:
    with pytest.raises(ResnetkitError, match="3 classes, 2 names"):
        make(class_names=("a", "b"))
    with pytest.raises(ResnetkitError, match="reads 3 channels"):
        make(preprocessing=Preprocessing(8, 8, 1, (0.5,), (0.5,)))


# --- answers ---


def test_paths_pil_images_and_arrays_get_the_same_answer(files: list[Path]) -> None:
    predictor = answering()
    as_arrays = [noise(seed) for seed in range(5)]
    expected = predictor.predict_proba(files)
    assert expected.shape == (5, 3)
    np.testing.assert_allclose(expected.sum(1), 1, atol=1e-6)
    for images in ([str(path) for path in files], as_arrays, [Image.open(path) for path in files]):
        assert np.array_equal(predictor.predict_proba(images), expected)
    np.testing.assert_allclose(predictor.predict_proba(files, batch_size=2), expected, atol=1e-6)
    assert predictor.predict_proba([]).shape == (0, 3)


def test_answers_averaged_with_the_mirror_image(files: list[Path]) -> None:
    plain = make()
    averaged = replace(plain, preprocessing=replace(plain.preprocessing, average_mirrored=True))
    images = [np.asarray(Image.open(path).convert("RGB").resize((20, 20))) for path in files]
    mirrored = [np.ascontiguousarray(image[:, ::-1]) for image in images]
    by_hand = (plain_predictor(plain).predict_proba(images) + plain_predictor(plain).predict_proba(mirrored)) / 2
    np.testing.assert_allclose(plain_predictor(averaged).predict_proba(images), by_hand, atol=1e-6)
    assert not np.allclose(by_hand, plain_predictor(plain).predict_proba(images), atol=1e-4)


def test_an_oriented_photo_is_turned_upright_however_it_is_given(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    path = tmp_path / "oriented.jpg"
    Image.fromarray(noise(0, 24, 16)).save(path, exif=exif, quality=95)
    predictor = answering()
    by_path, by_image = predictor.predict_proba([path]), predictor.predict_proba([Image.open(path)])
    np.testing.assert_array_equal(by_path, by_image)
    lying = Image.open(path)
    lying.getexif().clear()
    assert not np.array_equal(by_path, predictor.predict_proba([Image.fromarray(np.asarray(lying))]))


def test_probabilities_are_those_of_the_stored_preprocessing(files: list[Path]) -> None:
    classifier = make()
    predictor = plain_predictor(classifier)
    image = Image.open(files[0]).resize((13, 10), Image.Resampling.BILINEAR).crop((2, 1, 10, 9))
    pixels = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)[None] / 255
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (PREPROCESSING.mean, PREPROCESSING.std))
    with torch.no_grad():
        expected = classifier.network((pixels - mean) / std).softmax(1)
    np.testing.assert_allclose(predictor.predict_proba(files[:1]), expected, atol=1e-5)


def test_grey_images_and_a_grey_network(files: list[Path]) -> None:
    predictor = answering()
    grey = noise(0)[:, :, 0]
    as_rgb = np.repeat(grey[:, :, None], 3, axis=2)
    assert np.array_equal(predictor.predict_proba([grey]), predictor.predict_proba([as_rgb]))
    network = ResNet(replace(SPEC, in_channels=1))
    reads_grey = Classifier(network, Preprocessing(8, 8, 1, (0.5,), (0.5,)), NAMES)
    assert plain_predictor(reads_grey).predict_proba([*files, grey]).shape == (6, 3)


def test_predictions_are_the_best_classes_in_order(files: list[Path]) -> None:
    predictor = answering()
    probabilities = predictor.predict_proba(files)
    predictions = predictor.predict(files, top=2)
    for path, row, prediction in zip(files, probabilities, predictions, strict=True):
        assert (prediction.source, prediction.status, prediction.reason) == (str(path), "ok", "")
        order = sorted(range(3), key=lambda i: -row[i])[:2]
        assert prediction.top == tuple((NAMES[i], pytest.approx(row[i], abs=1e-6)) for i in order)
        assert (prediction.class_name, prediction.probability) == prediction.top[0]
    assert [p.source for p in predictor.predict([noise(0), files[0], noise(1)])] == ["0", str(files[0]), "2"]


def test_top_may_ask_for_more_classes_than_there_are_but_not_for_none(files: list[Path]) -> None:
    assert sorted(name for name, _ in answering().predict(files[:1], top=9)[0].top) == sorted(NAMES)
    with pytest.raises(ResnetkitError, match="top must be at least 1"):
        answering().predict(files, top=0)


def test_an_unreadable_file_is_a_row_without_class_among_answered_neighbours(files: list[Path], tmp_path: Path) -> None:
    predictor = answering()
    text, empty, cut = tmp_path / "text.jpg", tmp_path / "empty.png", tmp_path / "cut.png"
    text.write_text("hello")
    empty.touch()
    cut.write_bytes(files[0].read_bytes()[:200])
    mixed = [files[0], text, files[1], empty, tmp_path / "gone.png", cut, files[2]]
    for batch_size in (1, 2, 64):
        rows = predictor.predict(mixed, batch_size=batch_size)
        assert [row.source for row in rows] == [str(path) for path in mixed]
        assert [row.status for row in rows] == ["ok", "error", "ok", "error", "error", "error", "ok"]
        for row in rows:
            assert (row.class_name is None) == (row.probability is None) == bool(row.reason) == (row.status == "error")
        answered = [row.top for row in rows if row.status == "ok"]
        alone = [row.top for row in predictor.predict(files[:3])]
        for got, expected in zip(answered, alone, strict=True):
            assert [name for name, _ in got] == [name for name, _ in expected]
            np.testing.assert_allclose([p for _, p in got], [p for _, p in expected], atol=1e-6)
    assert [row.status for row in predictor.predict([text, empty])] == ["error", "error"]


def test_a_pillow_image_that_cannot_be_decoded_is_a_row_too(files: list[Path], tmp_path: Path) -> None:
    cut = tmp_path / "cut.png"
    cut.write_bytes(files[0].read_bytes()[:300])
    rows = answering().predict([Image.open(cut), Image.new("RGB", (0, 4)), np.zeros((0, 0), np.uint8), files[0]])
    assert [row.status for row in rows] == ["error", "error", "error", "ok"]
    assert all(row.reason for row in rows[:3])


def test_a_bomb_is_refused_by_the_classifiers_limits(files: list[Path]) -> None:
    row = answering(limits=Limits(max_pixels=100)).predict(files[:1])[0]
    assert row.status == "error"
    assert "more than the limit" in row.reason


def test_predict_proba_has_no_row_for_what_it_cannot_read(files: list[Path], tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("hello")
    with pytest.raises(ResnetkitError, match=r"text\.jpg is not a JPEG") as raised:
        answering().predict_proba([*files, tmp_path / "text.jpg"])
    assert raised.value.code is Code.DATA
    assert "predict()" in raised.value.fix


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((8, 8, 3), np.float32),
        np.zeros((8, 8, 3), np.int64),
        np.zeros((3, 8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((2, 8, 8, 3), np.uint8),
        np.zeros(8, np.uint8),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_an_array_that_is_no_image_is_the_callers_mistake(array: np.ndarray) -> None:
    for ask in (answering().predict, answering().predict_proba):
        with pytest.raises(ResnetkitError, match=r"must be uint8 \(H, W\) or \(H, W, 3\)") as raised:
            ask([array])
        assert raised.value.code is Code.DATA
        assert str(array.dtype) in raised.value.what


def test_one_image_is_not_taken_apart(files: list[Path]) -> None:
    grey = np.zeros((8, 8), np.uint8)
    for one in (str(files[0]), files[0], Image.open(files[0]), grey, np.stack([grey] * 3, axis=2)):
        for ask in (answering().predict, answering().predict_proba):
            with pytest.raises(ResnetkitError, match="one image was given where several") as raised:
                ask(one)
            assert raised.value.fix == "give a list: [image]"
    assert len(answering().predict(np.zeros((2, 8, 8, 3), np.uint8))) == 2


def test_answers_do_not_depend_on_training_mode_or_gradients(files: list[Path]) -> None:
    classifier = make()
    predictor = plain_predictor(classifier)
    expected = predictor.predict_proba(files)
    state = {name: tensor.clone() for name, tensor in classifier.network.state_dict().items()}
    assert np.array_equal(predictor.predict_proba(files), expected)
    assert all(torch.equal(tensor, state[name]) for name, tensor in classifier.network.state_dict().items())
