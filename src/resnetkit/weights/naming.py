"""Foreign names into ours: which convention a file follows is read from its names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

from resnetkit.errors import Code, ResnetkitError
from resnetkit.weights import keras_order
from resnetkit.weights.conventions import CONVENTIONS, HEADS, TENSORFLOW_VARIABLES, Convention
from resnetkit.weights.weight_file import WeightFile

HEAD_WEIGHT = "fc.weight"


@dataclass(frozen=True)
class Native:
    """A file's tensors by our names and in torch's layout.

    Attributes:
        naming: the convention the file followed.
        notes: those of the file, and what was renamed.
    """

    tensors: dict[str, Tensor]
    naming: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """One way to understand a file's names: whose they are, and ours by theirs."""

    convention: str
    names: Mapping[str, str]


def to_native(file: WeightFile) -> Native:
    """The tensors of a file under our names: every one is renamed, or none.

    Raises:
        ResnetkitError: where no convention knows all the names, or two tensors come to one name.
    """
    reading = _only_reading(file)
    tensors: dict[str, Tensor] = {}
    for name, tensor in file.tensors.items():
        ours = reading.names[name]
        if ours in tensors:
            raise ResnetkitError(
                Code.WEIGHTS,
                f"two tensors of {file.path} are '{ours}'",
                why=f"'{name}' is the second, by the names of {reading.convention}",
            )
        tensors[ours] = _to_torch_layout(ours, tensor, tensorflow=name.endswith("/kernel"))
    renamed = any(ours != name for ours, name in zip(tensors, file.tensors, strict=True))
    notes = (f"renamed from {reading.convention}",) if renamed else ()
    return Native(tensors, reading.convention, file.notes + notes)


def read_names(tensors: Mapping[str, Tensor]) -> list[Reading]:
    """Every way to understand all names; where there is none, all but those of a head, which may have any name.

    A head of several layers keeps their names, as ``fc.0.weight``: no network here has them.
    """
    found = _read_whole(tensors)
    head = [] if found else [name for name in tensors if HEADS.match(name)]
    if len({name.partition(".")[0] for name in head}) != 1:
        return found
    renamed = _name_head(head)
    readings = _read_whole({name: tensor for name, tensor in tensors.items() if name not in renamed})
    return [
        Reading(reading.convention, {**reading.names, **renamed})
        for reading in readings
        if not any(ours.startswith("fc.") for ours in reading.names.values())
    ]


def _read_whole(tensors: Mapping[str, Tensor]) -> list[Reading]:
    modules = {c.separator: [name.rpartition(c.separator)[0] for name in tensors] for c in CONVENTIONS}
    marked = [c for c in CONVENTIONS if c.is_marked(modules[c.separator])]
    found = [Reading(c.name, names) for c in marked if (names := _rename_all(tensors, c.rename)) is not None]
    layers = None if found else keras_order.name_modules(tensors)
    if layers is None:
        return found
    names = _rename_all(tensors, lambda name: _rename_layer(name, layers))
    return [] if names is None else [Reading(keras_order.NAME, names)]


def _rename_all(names: Iterable[str], rename: Callable[[str], str | None]) -> dict[str, str] | None:
    renamed = {}
    for name in names:
        ours = rename(name)
        if ours is None:
            return None
        renamed[name] = ours
    return renamed


def _name_head(names: list[str]) -> dict[str, str]:
    """``fc`` for a head of one layer, however deep in containers; below ``fc`` the layers of a longer one."""
    inside = {name: HEADS.sub("", name, count=1) for name in names}
    layers = {rest.rpartition(".")[0] for rest in inside.values()}
    return {name: f"fc.{rest.rpartition('.')[2] if len(layers) == 1 else rest}" for name, rest in inside.items()}


def _only_reading(file: WeightFile) -> Reading:
    readings = read_names(file.tensors)
    if len(readings) == 1:
        return readings[0]
    raise ResnetkitError(
        Code.WEIGHTS,
        f"the tensors of {file.path} follow no known naming" if not readings else f"{file.path} fits several namings",
        why=_nearest(file.tensors) if not readings else ", ".join(reading.convention for reading in readings),
        fix="known are: " + ", ".join(dict.fromkeys([*(c.name for c in CONVENTIONS), keras_order.NAME])),
    )


def _rename_layer(name: str, layers: Mapping[str, str]) -> str:
    layer, _, variable = name.partition("/")
    return f"{layers[layer]}.{TENSORFLOW_VARIABLES[variable]}"


def _nearest(tensors: Mapping[str, Tensor]) -> str:
    """Find the convention that knows most of the names, and what it does not know."""
    if all(keras_order.AUTOMATIC.fullmatch(name) for name in tensors):
        return "its layers have Keras' automatic names, and do not line up as pre-activated blocks of two convs"

    def unknown(convention: Convention) -> list[str]:
        return [name for name in tensors if convention.rename(name) is None]

    nearest = min(CONVENTIONS, key=lambda convention: len(unknown(convention)))
    strange = unknown(nearest)
    examples = ", ".join(f"'{name}'" for name in (strange or list(tensors))[:3])
    if len(strange) == len(tensors):
        return f"it has names such as {examples}"
    if not strange:
        return f"names such as {examples} do not tell which convention they follow"
    return f"nearest is {nearest.name}, but {len(strange)} of {len(tensors)} names are none of its: {examples}"


def _to_torch_layout(name: str, tensor: Tensor, *, tensorflow: bool) -> Tensor:
    if tensorflow and tensor.ndim == 4:
        tensor = tensor.permute(3, 2, 0, 1)
    elif tensorflow and tensor.ndim == 2:
        tensor = tensor.T
    if name == HEAD_WEIGHT and tensor.ndim == 4 and tensor.shape[2:] == (1, 1):
        tensor = tensor.flatten(1)  # a head that is a 1×1 conv
    return tensor.contiguous()
