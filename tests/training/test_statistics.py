"""A data set's entry in the table is true, and all that there is to a data set."""

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from resnetkit.data.datasets import DATASETS
from resnetkit.data.loading import open_data
from resnetkit.data.spec import DataSpec
from resnetkit.errors import ResnetkitError
from resnetkit.recipes.advice import choose
from resnetkit.runs.folder import RunFolder
from resnetkit.training import run
from resnetkit.training.planning import summarize_data
from resnetkit.training.run import train


@pytest.mark.parametrize("name", DATASETS)
def test_table_equals_the_images(name: str) -> None:
    spec = DataSpec(name, data_dir="/nonexistent" if name == "digits" else None, validation_fraction=0.0)
    try:
        source = open_data(spec)
    except ResnetkitError:
        pytest.skip(f"{name} is not on this machine")
    preprocessing = choose(summarize_data(source, spec), spec).recipe.preprocessing
    images = source.load(["train"], preprocessing).splits["train"].images
    pixels = images.read(np.arange(len(images))) / 255
    # CIFAR's commonly quoted deviations are a little off; they are kept because weights were trained with them.
    np.testing.assert_allclose(pixels.mean((0, 2, 3)), DATASETS[name].mean, atol=0.001)
    np.testing.assert_allclose(pixels.std((0, 2, 3)), DATASETS[name].std, atol=0.001)


def test_an_entry_is_all_that_a_new_data_set_needs(
    tmp_path: Path, tiny_settings: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = replace(DATASETS["digits"], name="numerals", mean=(0.25,), std=(0.5,), may_be_mirrored=True)
    monkeypatch.setitem(DATASETS, entry.name, entry)
    settings = tiny_settings | {"epochs": 1, "schedule.warmup_share": 0}
    result = train("numerals", settings=settings, out=tmp_path)
    assert result.scores["test"].top1.num_images == 359
    recipe = RunFolder(result.run).read_record().recipe
    assert (recipe.preprocessing.mean, recipe.preprocessing.std) == ((0.25,), (0.5,))
    assert recipe.augmentation.flip_rate == 0.5


def test_no_other_table_is_indexed_by_the_names_of_data_sets() -> None:
    package = Path(run.__file__).parents[1]
    for path in package.rglob("*.py"):
        tree = ast.parse(path.read_text())
        keys = [node.slice for node in ast.walk(tree) if isinstance(node, ast.Subscript)]
        keys += [key for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys if key]
        keys += [entry for node in ast.walk(tree) if isinstance(node, ast.Compare) for entry in ast.walk(node)]
        found = {key.value for key in keys if isinstance(key, ast.Constant)} & set(DATASETS)
        assert not found, f"{path} knows {found}: what is known of a data set stands in its entry"
