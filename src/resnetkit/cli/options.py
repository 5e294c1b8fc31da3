"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from resnetkit.cli.completion import offer_networks
from resnetkit.machine.precision import Precision, UsePrecision

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, for programs.")]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")]
EngineOption = Annotated[
    str,
    typer.Option(
        "--engine",
        help="auto (the fastest here, measured once), torch, torch_compile, onnxruntime or openvino.",
    ),
]
PrecisionOption = Annotated[
    Precision,
    typer.Option(
        "--precision", help="fp32, or bf16: several times as fast where the device has units for it, less exact."
    ),
]
UsePrecisionOption = Annotated[
    UsePrecision,
    typer.Option(
        "--precision",
        help="fp32; bf16 or int8: several times as fast where the device has units for it, less exact.",
    ),
]
CalibrateOption = Annotated[
    str | None,
    typer.Option(
        "--calibrate",
        help="With --precision int8: a folder or list of images to find ranges on; left out: the run's training "
        "images.",
        show_default=False,
    ),
]
DataDirOption = Annotated[
    str | None,
    typer.Option("--data-dir", help="Folder to look for named data sets in first.", show_default=False),
]
LayoutOption = Annotated[
    str | None,
    typer.Option(
        "--layout",
        help="What the folders in DATA are: auto, classes, splits, or by name: train=FOLDER,val=FOLDER,test=FOLDER.",
        show_default=False,
    ),
]
GroupByOption = Annotated[
    str | None,
    typer.Option(
        "--group-by",
        help="What images of one object share, to keep them on one side when images are held back: a column of a "
        "list, or a regular expression for paths, with the object in brackets.",
        show_default=False,
    ),
]
BadImageOption = Annotated[
    Literal["stop", "skip"],
    typer.Option("--on-bad-image", help="stop: list unreadable images and end. skip: leave them out, recorded."),
]
CheckOption = Annotated[
    Literal["first", "lazy"],
    typer.Option("--check", help="first: decode every image, then train. lazy: check each when it is first needed."),
]
CheckpointOption = Annotated[
    Literal["best"] | None,
    typer.Option("--checkpoint", help="Of a run that has not finished: the epoch it keeps so far.", show_default=False),
]
MaxPixelsOption = Annotated[
    int | None,
    typer.Option("--max-pixels", help="Refuse images with more pixels; left out: 64,000,000, or as in training."),
]
MaxFileBytesOption = Annotated[
    int | None,
    typer.Option("--max-file-bytes", help="Refuse files with more bytes; left out: 256 MiB, or as in training."),
]
WeightsModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        help="For a weight file: its network, where its tensors leave a choice.",
        autocompletion=offer_networks,
    ),
]
EntryOption = Annotated[
    str | None,
    typer.Option(
        "--entry",
        help="For a checkpoint that holds several networks: the one to read, by its name or what its tensors begin "
        "with.",
    ),
]
ClassNamesOption = Annotated[
    str | None,
    typer.Option("--class-names", help="For a weight file: a file with one name a line, JSON, or a data set's name."),
]
RayOption = Annotated[
    str | None,
    typer.Option("--ray", help="Compute on a Ray cluster: local, auto or HOST:PORT. With --out.", show_default=False),
]
RowsOption = Annotated[
    str | None,
    typer.Option(
        "--out",
        "-o",
        help="Keep a row for each image in this folder of Parquet files; if killed, the same command goes on.",
        show_default=False,
    ),
]
UnknownAtOption = Annotated[
    float | None,
    typer.Option(
        "--unknown-at",
        help="Share of images of known classes that may be called unknown, e.g. 0.05; 0: none is. "
        "Left out: as the classifier (train: the recipe) says.",
        show_default=False,
    ),
]
CoverageOption = Annotated[
    float | None,
    typer.Option(
        "--coverage",
        help="Give each image a set of classes that holds the true one with this probability, e.g. 0.95; 0: no sets. "
        "Left out: as the classifier (train: the recipe) says.",
        show_default=False,
    ),
]
SetRuleOption = Annotated[
    Literal["lac", "aps"] | None,
    typer.Option(
        "--set-rule", help="With --coverage: lac (smallest sets) or aps (larger ones for hard images).",
        show_default="lac",
    ),
]  # fmt: skip
PrecisionAtOption = Annotated[
    float | None,
    typer.Option(
        "--precision-at",
        help="Call answers unsure so that of the others this share is right, e.g. 0.99; 0: none is. "
        "Left out: as the classifier (train: the recipe) says.",
        show_default=False,
    ),
]
PreprocessOption = Annotated[
    list[str] | None,
    typer.Option(
        "--preprocess", help="For a weight file: how images are prepared, e.g. mean=[0.5,0.5,0.5]; repeatable."
    ),
]
