"""Engines opened for classifiers: chosen once, remembered, checked, and without torch where it is not needed."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.small_decisions import MIXED, with_yardstick

from resnetkit.classifier.classifier import Classifier, load_classifier
from resnetkit.classifier.decision import Decision
from resnetkit.classifier.engine import Engine
from resnetkit.classifier.file import read_description
from resnetkit.classifier.prediction import BATCH_SIZE, Predictor
from resnetkit.errors import Code, ResnetkitError
from resnetkit.inference import engine_choice, engines, graph_engines, remembered, trials
from resnetkit.inference.conditions import find_conditions
from resnetkit.inference.engine_choice import open_engine
from resnetkit.inference.engines import ENGINES
from resnetkit.inference.predictors import open_predictor
from resnetkit.inference.remembered import user_folder
from resnetkit.inference.torch_engines import TorchEngine, plain_predictor
from resnetkit.machine.precision import Precision
from resnetkit.recipes.demands import Demands

needs_onnxruntime = pytest.mark.skipif(
    bool(ENGINES["onnxruntime"].missing), reason=ENGINES["onnxruntime"].missing or "installed"
)


@pytest.fixture
def classifier(make: Callable[..., Classifier]) -> Classifier:
    return make()


@pytest.fixture
def file(classifier: Classifier, tmp_path: Path) -> Path:
    path = tmp_path / "run" / "classifier.safetensors"
    classifier.save(path)
    return path


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    return []


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Pretends that only these engines are installed."""

    def only(*names: str) -> None:
        table = {name: kind for name, kind in ENGINES.items() if name in names}
        monkeypatch.setattr(engines, "ENGINES", table)

    return only


def opened(
    source: Classifier | Path,
    engine: str = "auto",
    *,
    precision: Precision = "fp32",
    batch_size: int = BATCH_SIZE,
    tell: Callable[[str], None],
) -> Engine:
    """The engine for a classifier, or for the one in a file."""
    conditions = find_conditions(engine, precision=precision, batch_size=batch_size, device="cpu")
    return open_engine(read_description(source) if isinstance(source, Path) else source, conditions, tell=tell)


def kept(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.endswith((".json", ".onnx"))]


def test_with_torch_alone_nothing_is_measured_or_kept(
    classifier: Classifier, file: Path, told: list[str], only: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    only("torch", "torch_compile")
    monkeypatch.setattr(engine_choice, "choose", None)  # would fail if it were called
    engine = opened(file, tell=told.append)
    assert isinstance(engine, TorchEngine)
    assert (told, kept(file.parent), user_folder().exists()) == ([], [], False)
    monkeypatch.setattr(remembered, "sha256_of", None)
    assert open_predictor(file, tell=told.append).engine.name == "torch"


@needs_onnxruntime
def test_a_choice_is_made_once(
    classifier: Classifier, file: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = opened(file, batch_size=4, tell=told.append)
    assert "measuring the engines onnxruntime" in told[0]
    assert told[-1].startswith(f"engine {first.name}: ")
    assert "the network's within" in told[-1]
    monkeypatch.setattr(engine_choice, "choose", None)
    again = opened(file, batch_size=4, tell=told.append)
    assert again.name == first.name
    assert len(told) == 2
    # A batch of 5 is computed by four too, one of 8 is another question.
    assert opened(file, batch_size=5, tell=told.append).name == first.name
    with pytest.raises(TypeError):
        opened(file, batch_size=8, tell=told.append)


@needs_onnxruntime
def test_a_changed_classifier_is_measured_anew(
    classifier: Classifier, file: Path, told: list[str], only: Callable[..., None]
) -> None:
    only("onnxruntime", "torch")
    opened(file, "onnxruntime", tell=told.append)
    before = set(kept(file.parent))
    classifier.network.fc.bias.data += 1
    classifier.save(file)
    engine = opened(file, "onnxruntime", tell=told.append)
    assert sum("checking the engine" in text for text in told) == 2
    assert not before & set(kept(file.parent))
    pixels = np.zeros((2, 3, 16, 16), np.uint8)
    expected = plain_predictor(classifier).probabilities(pixels)
    np.testing.assert_allclose(Predictor.of(classifier, engine).probabilities(pixels), expected, atol=2e-6)


@needs_onnxruntime
def test_one_image_at_a_time_is_told_as_one(file: Path, told: list[str]) -> None:
    opened(file, "onnxruntime", batch_size=1, tell=told.append)
    assert "for this classifier, 1 image at a time" in told[0]


@needs_onnxruntime
def test_weights_without_a_file_are_remembered_in_the_users_cache(classifier: Classifier, told: list[str]) -> None:
    opened(classifier, "onnxruntime", tell=told.append)
    assert len(kept(user_folder())) == 2
    opened(classifier, "onnxruntime", tell=told.append)
    assert sum("checking the engine" in text for text in told) == 1


@needs_onnxruntime
def test_other_thresholds_need_no_new_choice(classifier: Classifier, file: Path, told: list[str]) -> None:
    judged = with_yardstick(classifier)
    judged.save(file)
    for source in (file, judged):
        told.clear()
        for demands in (Demands(), MIXED, Demands(coverage=0.8)):
            opening = {"engine": "onnxruntime", "device": "cpu"} if source == file else {"engine": "onnxruntime"}
            predictor = open_predictor(source, **opening, demands=demands, tell=told.append)  # type: ignore[arg-type]
            assert (predictor.decision.sets is None) == (demands.coverage is None)
        assert len([text for text in told if "checking the engine" in text]) == 1


def test_a_damaged_cache_is_rebuilt(classifier: Classifier, file: Path, told: list[str]) -> None:
    opened(file, "onnxruntime", tell=told.append)
    for path in kept(file.parent):
        path.write_bytes(b"damaged")
        opened(file, "onnxruntime", tell=told.append)
        assert path.read_bytes() != b"damaged"
    assert sum("checking the engine" in text for text in told) == 3


@needs_onnxruntime
def test_an_engine_that_does_not_open_any_more_is_said_and_chosen_again(
    classifier: Classifier, file: Path, told: list[str], only: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    only("onnxruntime", "torch")
    always = {"pick": lambda trials: next(t.engine for t in trials if not t.problem)}
    monkeypatch.setattr(trials, "pick", always["pick"])
    assert opened(file, tell=told.append).name == "onnxruntime"

    def broken(graph: bytes, **settings: int) -> None:
        raise RuntimeError("illegal instruction")

    monkeypatch.setattr(graph_engines, "open_onnxruntime", broken)
    predictor = open_predictor(file, device="cpu", tell=told.append)
    assert predictor.engine.name == "torch"
    assert any("chosen before, does not open (illegal instruction); choosing again" in text for text in told)
    assert "left out: the engine onnxruntime RuntimeError: illegal instruction" in told


@needs_onnxruntime
def test_an_engine_that_disagrees_is_left_out_or_refused(
    classifier: Classifier, told: list[str], only: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    only("onnxruntime", "torch")
    right = graph_engines.open_onnxruntime

    def wrong(graph: bytes, **settings: int) -> Any:
        engine = right(graph, **settings)
        engine.logits = lambda pixels: type(engine).logits(engine, pixels)[:, :, ::-1]  # type: ignore
        return engine

    monkeypatch.setattr(graph_engines, "open_onnxruntime", wrong)
    assert opened(classifier, tell=told.append).name == "torch"
    assert any("left out: the engine onnxruntime differs from the network by up to" in text for text in told)
    with pytest.raises(ResnetkitError, match="onnxruntime cannot be used for this classifier") as raised:
        opened(classifier, "onnxruntime", tell=told.append)
    assert raised.value.code is Code.CHECK_FAILED
    assert "differs from the network" in raised.value.why


@needs_onnxruntime
def test_where_every_engine_disagrees_the_network_itself_answers(
    classifier: Classifier, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_choice, "TOLERANCES", {"fp32": -1.0})
    assert opened(classifier, tell=told.append).network is classifier.network  # type: ignore[attr-defined]
    assert "no engine agrees with the network; it is used as it is, which is slower" in told


def test_in_bfloat16_the_engine_is_checked_and_remembered_apart(
    classifier: Classifier, file: Path, told: list[str], only: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    only("onnxruntime", "torch")
    monkeypatch.setattr(engine_choice, "multiplies_bf16_fast", lambda: True)
    engine = opened(file, precision="bf16", tell=told.append)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 3, 16, 16), dtype=np.uint8)
    assert np.abs(engine.logits(pixels) - plain_predictor(classifier).engine.logits(pixels)).max() > 1e-5
    assert told[0].startswith("checking the engine torch in bf16 for this classifier")
    assert told[1].startswith("engine torch in bf16: its probabilities are the float32 network's within ")
    assert told[1].endswith(" of 8 check images")
    monkeypatch.setattr(engine_choice, "choose", None)
    again = opened(file, precision="bf16", tell=told.append)
    assert np.array_equal(again.logits(pixels), engine.logits(pixels))
    assert len(told) == 2
    in_float32 = opened(file, "torch", tell=told.append)
    assert (in_float32.logits(pixels) != engine.logits(pixels)).any()


def test_where_none_is_close_enough_in_bfloat16_that_is_an_error_and_not_float32(
    classifier: Classifier, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_choice, "TOLERANCES", {"bf16": 1e-9})
    with pytest.raises(ResnetkitError, match="torch in bf16 cannot be used for this classifier") as raised:
        opened(classifier, precision="bf16", tell=told.append)
    assert raised.value.fix == "--precision fp32"
    assert "differs from the network" in raised.value.why


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_precision_that_gains_nothing_is_said_and_obeyed(
    precision: Any, file: Path, told: list[str], only: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    only("torch")
    monkeypatch.setattr(engine_choice, "multiplies_bf16_fast", lambda: False)
    predictor = open_predictor(file, precision=precision, device="cpu", tell=told.append)
    assert predictor.engine.dtype is {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]  # type: ignore[attr-defined]
    assert sum("bf16 gains nothing here" in text for text in told) == (precision == "bf16")


def test_a_remembered_engine_says_it_too(file: Path, told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    if ENGINES["openvino"].missing:
        pytest.skip(ENGINES["openvino"].missing)
    for is_fast in (True, False):
        monkeypatch.setattr(engine_choice, "multiplies_bf16_fast", lambda is_fast=is_fast: is_fast)
        told.clear()
        try:
            open_predictor(file, engine="openvino", precision="bf16", device="cpu", tell=told.append)
        except ResnetkitError as error:
            pytest.skip(error.why)
    assert [text.startswith("bf16 gains nothing here") for text in told] == [True]


@needs_onnxruntime
def test_a_choice_that_cannot_be_kept_is_used_and_said(
    classifier: Classifier, told: list[str], cache_folder: Path
) -> None:
    cache_folder.touch()
    assert opened(classifier, "onnxruntime", tell=told.append).name == "onnxruntime"
    assert told[-1].startswith("the choice could not be kept and will be made again: ")


@needs_onnxruntime
def test_the_predictor_answers_as_the_classifier(file: Path, told: list[str]) -> None:
    images = [np.random.default_rng(i).integers(0, 256, (20, 30, 3), dtype=np.uint8) for i in range(5)]
    expected = plain_predictor(load_classifier(file)).predict_proba(images)
    for _ in range(2):  # as measured, and as remembered
        predictor = open_predictor(file.parent, engine="onnxruntime", device="cpu", tell=told.append)
        np.testing.assert_allclose(predictor.predict_proba(images), expected, atol=2e-6)
        assert predictor.class_names == load_classifier(file).class_names


@needs_onnxruntime
def test_the_classifiers_decision_is_what_makes_answers_of_any_engines_logits(
    classifier: Classifier, file: Path, told: list[str]
) -> None:
    images = [np.random.default_rng(i).integers(0, 256, (20, 30, 3), dtype=np.uint8) for i in range(3)]
    usual = plain_predictor(classifier).predict_proba(images)
    replace(classifier, decision=Decision(temperature=3.0)).save(file)
    for engine in ("torch", "onnxruntime", "onnxruntime"):  # as it is, as measured, and as remembered
        predictor = open_predictor(file, engine=engine, device="cpu", tell=told.append)
        cooled = usual ** (1 / 3)
        np.testing.assert_allclose(predictor.predict_proba(images), cooled / cooled.sum(1, keepdims=True), atol=2e-6)


PREDICT = """
import sys
from resnetkit.inference.predictors import open_predictor
predictor = open_predictor(sys.argv[1], engine="onnxruntime", batch_size=1)
print(predictor.engine.name, predictor.predict([sys.argv[2]])[0].probability, "torch" in sys.modules)
"""


@pytest.mark.slow
@needs_onnxruntime
def test_a_remembered_engine_needs_no_torch(file: Path, tmp_path: Path) -> None:
    from PIL import Image

    image = tmp_path / "image.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(image)

    def ask() -> str:
        command = [sys.executable, "-c", PREDICT, str(file), str(image)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    first, second = ask().split(), ask().split()
    assert first[:2] == second[:2]
    assert (first[2], second[2]) == ("True", "False")


@pytest.mark.slow
@needs_onnxruntime
def test_two_processes_may_choose_at_once(file: Path) -> None:
    command = [sys.executable, "-c", PREDICT, str(file), str(file)]
    processes = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(2)]
    for process in processes:
        errors = process.communicate()[1]
        assert process.returncode == 0, errors
    records = [path for path in kept(file.parent) if path.suffix == ".json"]
    for record in records:
        assert json.loads(record.read_text())["engine"] == "onnxruntime"
    assert records
    assert not list(file.parent.rglob(".*.json.*"))  # nothing temporary is left


def test_a_mistyped_engine_is_told_before_anything_is_loaded(tmp_path: Path, file: Path) -> None:
    with pytest.raises(ResnetkitError, match="unknown engine 'openvin'") as raised:
        open_predictor(file, engine="openvin")
    assert raised.value.fix == "did you mean 'openvino'?"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    from PIL import Image

    random = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for number in range(12):
        coarse = random.integers(0, 256, (3, 3, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((16, 16)).save(tmp_path / "photos" / f"{number}.png")
    return tmp_path / "photos"


def opened_in_int8(file: Path, engine: str, photos: Path | None, tell: Callable[[str], None]) -> Engine:
    return open_predictor(file, engine=engine, precision="int8", calibrate=photos, device="cpu", tell=tell).engine


@needs_onnxruntime
def test_in_int8_it_is_calibrated_once_and_for_another_folder_anew(
    classifier: Classifier, file: Path, photos: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 3, 16, 16), dtype=np.uint8)
    engine = opened_in_int8(file, "onnxruntime", photos, told.append)
    assert told[-3] == f"calibrating on 12 images of {photos}; once, the longer the larger the network"
    assert told[-2].startswith("checking the engine onnxruntime in int8 for this classifier")
    assert told[-1].startswith("engine onnxruntime in int8: ")
    assert "(onnxruntime in fp32 " in told[-1]
    assert told[-1].endswith("of 12 images it was calibrated on")
    expected = plain_predictor(classifier).engine.logits(pixels)
    assert 1e-4 < np.abs(engine.logits(pixels) - expected).max() < 0.1 * np.abs(expected).max()
    in_float32 = opened(file, "onnxruntime", tell=told.append)  # its graph lies beside the other
    number = len(told)
    with monkeypatch.context() as patched:
        patched.setattr(engine_choice, "choose", None)  # would fail if it were called
        again = opened_in_int8(file, "onnxruntime", photos, told.append)
        assert np.array_equal(again.logits(pixels), engine.logits(pixels))
        assert np.array_equal(opened(file, "onnxruntime", tell=told.append).logits(pixels), in_float32.logits(pixels))
    assert [text for text in told[number:] if "gains little" not in text] == []
    other = photos.with_name("others")
    other.mkdir()
    (photos / "0.png").rename(other / "0.png")
    assert (opened_in_int8(file, "onnxruntime", other, told.append).logits(pixels) != again.logits(pixels)).any()
    assert told[-3].startswith("calibrating on 1 images of ")


@needs_onnxruntime
def test_in_int8_it_is_calibrated_once_for_all_numbers_of_images(
    file: Path, photos: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 3, 16, 16), dtype=np.uint8)
    arguments: dict[str, Any] = {"precision": "int8", "calibrate": photos, "device": "cpu", "tell": told.append}
    alone = open_predictor(file, engine="onnxruntime", batch_size=1, **arguments).engine
    monkeypatch.setattr(engine_choice, "choose", None)  # would fail if it were called
    together = open_predictor(file, engine="onnxruntime", batch_size=4, **arguments).engine
    assert np.array_equal(alone.logits(pixels), together.logits(pixels))
    assert alone._piece_size == 1  # type: ignore[attr-defined]
    assert together._piece_size > 1  # type: ignore[attr-defined]


@needs_onnxruntime
def test_an_int8_engine_that_gives_other_classes_is_refused(
    file: Path, photos: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = graph_engines.open_onnxruntime

    def wrong(graph: bytes, **settings: Any) -> Any:
        engine = right(graph, **settings)
        if settings["precision"] == "int8":
            engine.logits = lambda pixels: -type(engine).logits(engine, pixels)  # type: ignore
        return engine

    monkeypatch.setattr(graph_engines, "open_onnxruntime", wrong)
    with pytest.raises(ResnetkitError, match="onnxruntime in int8 cannot be used for this classifier") as raised:
        opened_in_int8(file, "onnxruntime", photos, told.append)
    assert "images another class (allowed: 5 %)" in raised.value.why
    assert raised.value.fix == "--precision fp32"
    assert not kept(file.parent)


@needs_onnxruntime
def test_int8_without_images_is_told_before_anything_is_loaded(
    file: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_choice, "_loaded", None)  # would fail if it were called
    with pytest.raises(ResnetkitError, match="int8 needs images to calibrate on"):
        opened_in_int8(file, "auto", None, told.append)


@needs_onnxruntime
def test_int8_on_a_processor_without_its_instructions_is_said(
    file: Path, photos: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for is_fast in (True, False):
        monkeypatch.setattr(engine_choice, "multiplies_int8_fast", lambda is_fast=is_fast: is_fast)
        told.clear()
        opened_in_int8(file, "onnxruntime", photos, told.append)
        assert any("int8 gains little here" in text for text in told) is not is_fast


PREDICT_IN_INT8 = """
import sys
from resnetkit.inference.predictors import open_predictor
run, image, folder = sys.argv[1:]
predictor = open_predictor(run, precision="int8", calibrate=folder, batch_size=1, tell=lambda text: print(text))
print(predictor.engine.name, predictor.predict([image])[0].probability, "torch" in sys.modules)
"""


@pytest.mark.slow
@needs_onnxruntime
def test_a_remembered_int8_engine_needs_no_torch_and_no_images(file: Path, photos: Path) -> None:
    image = photos.with_name("image.png")
    image.write_bytes((photos / "3.png").read_bytes())

    def ask() -> list[str]:
        command = [sys.executable, "-c", PREDICT_IN_INT8, str(file), str(image), str(photos)]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        return [line for line in said if "gains little" not in line]

    first = ask()
    assert first[0].startswith("calibrating on 12 images")
    for left in photos.iterdir():
        left.write_bytes(b"no image any more")
    second = ask()
    assert [line.split()[:2] for line in second] == [first[-1].split()[:2]]
    assert (first[-1].split()[2], second[-1].split()[2]) == ("True", "False")
