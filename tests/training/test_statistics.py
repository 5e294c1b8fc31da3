"""The channel statistics in the table are those of the images."""

import numpy as np
import pytest

from resnetkit.data.loading import open_data
from resnetkit.data.spec import DataSpec
from resnetkit.errors import ResnetkitError
from resnetkit.training.choice import STATISTICS, choose
from resnetkit.training.runs import facts_about


@pytest.mark.parametrize("name", STATISTICS)
def test_table_equals_the_images(name: str) -> None:
    spec = DataSpec(name, data_dir="/nonexistent" if name == "digits" else None, validation_fraction=0.0)
    try:
        source = open_data(spec)
    except ResnetkitError:
        pytest.skip(f"{name} is not on this machine")
    preprocessing = choose(facts_about(source, spec), spec).recipe.preprocessing
    images = source.load(["train"], preprocessing).splits["train"].images
    pixels = images.read(np.arange(len(images))) / 255
    mean, std = STATISTICS[name]
    # CIFAR's commonly quoted deviations are a little off; they are kept because weights were trained with them.
    np.testing.assert_allclose(pixels.mean((0, 2, 3)), mean, atol=0.001)
    np.testing.assert_allclose(pixels.std((0, 2, 3)), std, atol=0.001)
