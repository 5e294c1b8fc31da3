"""The data that a source is judged by: a run's own, as they were in its training, or others that are named."""

from __future__ import annotations

import os
from dataclasses import replace

from resnetkit.data.datasets import DATASETS
from resnetkit.data.spec import DataSpec
from resnetkit.errors import Code, require
from resnetkit.folders.table_file import is_folder_or_list
from resnetkit.images.spec import Limits
from resnetkit.sources.locate import Located


def find_data(source: Located, data: str | None, limits: Limits) -> tuple[DataSpec, int | None]:
    """The data to judge a source by, and how many images they had in training; None for others than those of a run.

    Args:
        data: their name or folder; None: a run's own.
        limits: within which others are read.

    Raises:
        ResnetkitError: where no data are named and the source is no run, or a run's own are gone.
    """
    folder = source.run
    record = None if folder is None else folder.read_record()
    place = "" if folder is None or record is None else folder.place_of_data(record.recipe)
    if record is None or (data is not None and not _is_same(data, place)):
        require(data is not None, "which data? A classifier file does not say", fix="give DATA, or the run")
        assert data is not None
        return DataSpec(data, validation_fraction=0.0, test_fraction=0.0, limits=limits), None
    own = replace(record.recipe.data, source=place)
    require(
        own.source in DATASETS or is_folder_or_list(own.source),
        f"the images of {source.text} are no longer in {own.source}",
        fix=f"say where they are now: resnetkit evaluate {source.text} NEW/PATH",
        code=Code.DATA,
    )
    # The same split seed and shares as in training: what was held back then is held back now.
    return own, record.data.num_image_files


def _is_same(data: str, recorded: str) -> bool:
    """Tell whether two names mean the same data set, folder or list."""
    return data == recorded or os.path.realpath(os.path.expanduser(data)) == os.path.realpath(recorded)
