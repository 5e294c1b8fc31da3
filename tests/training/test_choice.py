"""What is chosen, and what is said about it."""

import pytest

from resnetkit.data.datasets import DATASETS
from resnetkit.data.spec import DataSpec, Preprocessing
from resnetkit.training.choice import DataFacts, StartingPoint, choose

GREY = DataFacts.of(DATASETS["fashion_mnist"], 60_000)
COLOUR = DataFacts.of(DATASETS["cifar10"], 50_000)
OF_COLOUR = ((0.25, 0.5, 0.75), (0.5, 0.25, 0.75))


@pytest.mark.parametrize(
    ("facts", "trained"),
    [
        (GREY, Preprocessing(28, 32, 3, *OF_COLOUR)),
        (GREY, Preprocessing(28, 32, 3, *OF_COLOUR, channel_order="bgr")),
        (COLOUR, Preprocessing(28, 32, 1, (0.5,), (0.5,))),
    ],
)
def test_weights_for_other_channels_keep_their_statistics_on_average(facts: DataFacts, trained: Preprocessing) -> None:
    start = StartingPoint("start.safetensors", preprocessing=trained)
    chosen = choose(facts, DataSpec(facts.name), start=start)
    ours = chosen.recipe.preprocessing
    assert (ours.image_size_px, ours.resize_px, ours.channels, ours.channel_order) == (28, 32, facts.channels, "rgb")
    assert ours.mean == ours.std == (0.5,) * facts.channels
    why = "as the weights were trained, with the average of their mean and std in each channel"
    assert f"images of 28 × 28 px: {why}" in chosen.reasons


def test_what_was_set_is_not_told_as_chosen() -> None:
    facts = DataFacts("photos", 300, 3, 40, 2, is_folder=True)
    told = choose(facts, DataSpec("photos")).reasons
    assert [reason.split()[0] for reason in told] == ["network", "recipe", "images", "batches"]
    settings = {"preprocessing.image_size_px": 48, "batch_size": 2}
    assert choose(facts, DataSpec("photos"), settings=settings).reasons == told[:2]
