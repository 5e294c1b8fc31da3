"""Event files, read back by TensorBoard's own reader."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.tracking.conftest import NUM_EPOCHS, NUM_STEPS, follower, tell_updates

from resnetkit.runs.folder import RunFolder
from resnetkit.runs.result import finished_result
from resnetkit.tracking.tensorboard_files import EventFiles

pytest.importorskip("tensorboard")


def read(folder: RunFolder) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    reader = EventAccumulator(str(folder.path / "tensorboard"))
    reader.Reload()
    return reader


@pytest.fixture
def kept(folder: RunFolder) -> RunFolder:
    """A run whose events are in two files."""
    for first, last in ((1, 6), (7, NUM_EPOCHS * NUM_STEPS)):
        listener = follower("tensorboard")
        listener.run_started(folder, folder.read_record(), first - 1)
        tell_updates(listener, first, last)
    result = finished_result(folder)
    assert result is not None
    listener.run_ended(result)
    return folder


def test_a_run_has_a_confusion_matrix_and_a_text_with_intervals_and_the_report(kept: RunFolder) -> None:
    reader, result = read(kept), finished_result(kept)
    assert result is not None
    (image,) = reader.Images("confusion/test")
    assert image.step == NUM_EPOCHS * NUM_STEPS
    assert image.encoded_image_string.startswith(b"\x89PNG")
    assert (image.width, image.height) == (480, 480)
    (text,) = reader.Tensors("report")
    words = text.tensor_proto.string_val[0].decode()
    top1 = result.scores["test"].top1
    assert f"| test_top1 | {top1.value:.4f} | {top1.low:.4f} to {top1.high:.4f} | {top1.num_images} |" in words
    assert words.endswith(f"Report: {kept.report_file}")


def test_a_run_has_its_recipe_as_hyperparameters(kept: RunFolder) -> None:
    from tensorboard.plugins.hparams import metadata

    reader = read(kept)
    told = {
        tag: metadata.parse_session_start_info_plugin_data(data.plugin_data.content)
        for tag, data in reader.summary_metadata.items()
        if tag == metadata.SESSION_START_INFO_TAG
    }
    values = told[metadata.SESSION_START_INFO_TAG].hparams
    assert values["optimizer.learning_rate"].number_value == kept.read_record().recipe.optimizer.learning_rate
    assert values["model_name"].string_value == "resnet20_b"
    assert values["dataset.name"].string_value == "digits"
    assert values["optimizer.nesterov"].bool_value is True


@pytest.mark.parametrize("num_written", range(4))
def test_scores_are_told_once_wherever_the_telling_was_cut_off(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, num_written: int
) -> None:
    result, last = finished_result(folder), NUM_EPOCHS * NUM_STEPS
    assert result is not None
    listener = follower("tensorboard")
    listener.run_started(folder, folder.read_record(), 0)
    tell_updates(listener, 1, last)
    left, write = [num_written], EventFiles._write

    def write_some(self: EventFiles, **fields: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        write(self, **fields)

    with monkeypatch.context() as dying, suppress(KeyboardInterrupt):
        dying.setattr(EventFiles, "_write", write_some)
        listener.run_ended(result)
    again = follower("tensorboard")
    again.run_started(folder, folder.read_record(), last)
    again.run_ended(result)
    reader = read(folder)
    assert [event.step for event in reader.Scalars("scores/test_top1")] == [last]
    assert len(reader.Images("confusion/test")) == len(reader.Tensors("report")) == 1


def test_each_time_that_a_run_goes_on_it_has_a_file_of_its_own(kept: RunFolder) -> None:
    names = sorted(path.name for path in Path(kept.path, "tensorboard").glob("events*"))
    assert names == ["events.out.tfevents.000001", "events.out.tfevents.000002"]


def test_what_was_told_is_there_though_nobody_closed_the_file(folder: RunFolder) -> None:
    listener = follower("tensorboard")
    listener.run_started(folder, folder.read_record(), 0)
    tell_updates(listener, 1, 2)
    assert [event.step for event in read(folder).Scalars("step/loss")] == [1, 2]
