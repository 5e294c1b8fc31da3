"""What a run writes about files and classes whose names are not UTF-8."""

from pathlib import Path

from resnetkit.classifier.classifier import Classifier, load_classifier
from resnetkit.data.spec import DataSpec
from resnetkit.images.spec import Preprocessing
from resnetkit.models.catalog import find_entry
from resnetkit.models.resnet import create_model
from resnetkit.recipes.recipe import Recipe
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.record import DataRecord, Record

NAME = b"caf\xe9".decode("utf-8", "surrogateescape")


def test_names_that_are_not_utf8_are_recorded_and_logged(tmp_path: Path) -> None:
    recipe = Recipe("photos", "resnet18", find_entry("resnet18").spec, DataSpec(NAME), Preprocessing(224, 256))
    folder = RunFolder.create(tmp_path, recipe)
    data = DataRecord(name=NAME, fingerprint="", class_names=(NAME,), num_images={}, ignored_files=0, bad_images=())
    record = Record(recipe=recipe, command=f"{NAME} 猫", warnings=(), data=data, environment={})
    folder.write_record(record)
    assert folder.read_record() == record
    folder.log(f"skipped {NAME}/猫.png")
    assert folder.log_file.read_text(encoding="utf-8").endswith("skipped caf\\udce9/猫.png\n")


def test_a_class_may_have_such_a_name(tmp_path: Path) -> None:
    network = create_model("tutorial_preact", depths=(1, 1, 1), num_classes=3)
    names = (NAME, "猫", "dog")
    Classifier(network, Preprocessing(28, 28, 1, (0.5,), (0.5,)), names, {"data": NAME}).save(
        tmp_path / "a.safetensors"
    )
    loaded = load_classifier(tmp_path / "a.safetensors")
    assert (loaded.class_names, loaded.provenance) == (names, {"data": NAME})
