"""Answers for more images than one process should be asked for at once, kept in a folder as they come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from resnetkit.classifier.prediction import Predictor
from resnetkit.data.prepared_images import Examination, FolderImages, Originals
from resnetkit.data.source import Examine
from resnetkit.errors import require
from resnetkit.images.types import Images
from resnetkit.inference.answering import Predicting, Scoring, rows_of
from resnetkit.inference.ray_actors import iter_answers
from resnetkit.inference.row_folder import RowFolder, in_parts
from resnetkit.terminal import progress_bar, tell


@contextmanager
def opened_rows(folder: Path, work: Predicting | Scoring) -> Iterator[RowFolder]:
    """Open the folder for the rows of some work, held for the duration of the block.

    Raises:
        ResnetkitError: where it holds something else, or another process writes to it.
    """
    rows = RowFolder(folder, work.about(), work.root)
    with rows.opened():
        yield rows


def answer_missing(rows: RowFolder, work: Predicting | Scoring, paths: Sequence[str], by: Predictor | str) -> None:
    """Answer for the paths that have no row that holds, and keep every part when it comes.

    Args:
        by: the predictor of the work, or the address of a Ray cluster.

    Raises:
        ResnetkitError: where the classifier cannot be opened, or the cluster does not answer.
    """
    num_outdated = rows.forget_outdated(paths)
    missing = rows.missing(paths)
    num_known = len(set(paths)) - len(missing)
    if num_known:
        tell(f"{rows.folder} has rows for {num_known:,} of {num_known + len(missing):,} images; going on")
    if num_outdated:
        tell(f"asked again: {num_outdated:,} whose file has changed, or could not be read")
    parts = in_parts(missing)
    if not parts:
        return
    tables = iter_answers(by, work, parts) if isinstance(by, str) else map(work.answer_with(by), parts)
    with progress_bar("answering", len(missing)) as on_done:
        for table in tables:
            rows.add(table)
            on_done(len(table))


def examine_into(rows: RowFolder, work: Scoring, predictor: Predictor, address: str | None) -> Examine:
    """Examine and answer a split's images by the rows of a folder, in place of loading them.

    Args:
        address: of the Ray cluster that answers; None: the predictor does.
    """

    def examine(originals: Originals) -> tuple[Images, Examination]:
        require(
            isinstance(originals, FolderImages),
            "rows are kept for image folders, and named data sets are small",
            fix="leave out --out and --ray",
        )
        assert isinstance(originals, FolderImages)
        answer_missing(rows, work, originals.paths, address or predictor)
        return rows_of(rows.tables(), originals.paths, len(predictor.class_names)).as_loaded()

    return examine
