"""The beginning of a run: its folder, and the record of what it is."""

from __future__ import annotations

from pathlib import Path

from resnetkit.data.source import DataSource
from resnetkit.data.types import LoadedData
from resnetkit.machine import runtime
from resnetkit.recipes.recipe import Chosen
from resnetkit.runs.first_look import FirstLook
from resnetkit.runs.folder import RunFolder
from resnetkit.runs.record import DataRecord, Record
from resnetkit.training.starting_weights import record_of_weights, seen_before


def make_record(
    chosen: Chosen, source: DataSource, loaded: LoadedData, computing: runtime.Runtime, command: str
) -> Record:
    """Record of what is known of a run when it begins."""
    data = DataRecord(
        name=source.name,
        fingerprint=loaded.fingerprint,
        class_names=loaded.class_names,
        num_images={name: len(split) for name, split in loaded.splits.items()},
        ignored_files=source.ignored_files,
        bad_images=loaded.bad_images,
        audit=loaded.audit,
    )
    return Record(
        recipe=chosen.recipe,
        command=command,
        reasons=chosen.reasons,
        warnings=(*chosen.warnings, *loaded.warnings),
        weights=record_of_weights(chosen.recipe),
        data=data,
        environment={**runtime.environment(), **computing.as_dict()},
    )


def create_folder(
    out: Path, chosen: Chosen, record: Record, loaded: LoadedData, look: FirstLook | None = None
) -> RunFolder:
    """The new run's folder with its record, and what a first look has shown."""
    folder = RunFolder.create(out, chosen.recipe)
    folder.write_seen(seen_before(chosen.recipe).then(loaded.splits, val_chose=chosen.recipe.validation_chooses))
    folder.write_record(record)
    folder.record("start", step=0)
    for text in (*chosen.reasons, *chosen.warnings):  # those of the data are yet to be told
        folder.log(text)
    if look is not None:
        look.record(folder)
        folder.log(str(look))
    return folder
