"""Foreign names into ours: which convention a file follows is read from its names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from resnetkit.errors import Code, ResnetkitError
from resnetkit.models.weights import keras_order
from resnetkit.models.weights.conventions import CONVENTIONS, TENSORFLOW_VARIABLES, Convention
from resnetkit.models.weights.files import WeightFile

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


def to_native(file: WeightFile) -> Native:
    """The tensors of a file under our names: every one is renamed, or none.

    Raises:
        ResnetkitError: where no convention knows all the names, or two tensors come to one name.
    """
    convention, rename = _recognise(file)
    tensors: dict[str, Tensor] = {}
    for name, tensor in file.tensors.items():
        ours = rename(name)
        assert ours is not None
        if ours in tensors:
            raise ResnetkitError(
                Code.WEIGHTS,
                f"two tensors of {file.path} are '{ours}'",
                why=f"'{name}' is the second, by the names of {convention}",
            )
        tensors[ours] = _to_torch_layout(ours, tensor, tensorflow=name.endswith("/kernel"))
    renamed = any(ours != name for ours, name in zip(tensors, file.tensors, strict=True))
    notes = (f"renamed from {convention}",) if renamed else ()
    return Native(tensors, convention, file.notes + notes)


def _recognise(file: WeightFile) -> tuple[str, Callable[[str], str | None]]:
    modules = {c.separator: [name.rpartition(c.separator)[0] for name in file.tensors] for c in CONVENTIONS}
    fitting = [
        c
        for c in CONVENTIONS
        if c.is_marked(modules[c.separator]) and all(c.rename(name) is not None for name in file.tensors)
    ]
    if len(fitting) == 1:
        return fitting[0].name, fitting[0].rename
    layers = None if fitting else keras_order.name_modules(file.tensors)
    if layers is not None:
        return keras_order.NAME, lambda name: _rename_layer(name, layers)
    raise ResnetkitError(
        Code.WEIGHTS,
        f"the tensors of {file.path} follow no known naming" if not fitting else f"{file.path} fits several namings",
        why=_nearest(file.tensors) if not fitting else ", ".join(c.name for c in fitting),
        fix="known are: " + ", ".join(dict.fromkeys([*(c.name for c in CONVENTIONS), keras_order.NAME])),
    )


def _rename_layer(name: str, layers: Mapping[str, str]) -> str:
    layer, _, variable = name.partition("/")
    return f"{layers[layer]}.{TENSORFLOW_VARIABLES[variable]}"


def _nearest(tensors: Mapping[str, Tensor]) -> str:
    """Which convention knows most of the names, and what it does not know."""
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
        return f"names such as {examples} could be anybody's"
    return f"nearest is {nearest.name}, but {len(strange)} of {len(tensors)} names are none of its: {examples}"


def _to_torch_layout(name: str, tensor: Tensor, *, tensorflow: bool) -> Tensor:
    if tensorflow and tensor.ndim == 4:
        tensor = tensor.permute(3, 2, 0, 1)
    elif tensorflow and tensor.ndim == 2:
        tensor = tensor.T
    if name == HEAD_WEIGHT and tensor.ndim == 4 and tensor.shape[2:] == (1, 1):
        tensor = tensor.flatten(1)  # a head that is a 1×1 conv
    return tensor.contiguous()
