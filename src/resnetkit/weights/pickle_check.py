"""A rehearsal of a pickle: it is read with stand-ins for all that it names, so that what it asks for is known.

The reader that follows is torch's own, which executes nothing foreign, but allocates and computes what a pickle says: a
tensor's size, the hash of nested tuples. Here sizes are compared with the file's, and keys that take forever to hash
are refused, before anything is allocated.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, ClassVar

from resnetkit.weights.limits import Unreadable

MAX_OPCODES = 3_000_000  # ResNet-1202 with its optimizer takes a third
CALL_COST, NAME_COST = 10, 50  # a call and the name of a class, in opcodes; the names of a file are few
MAX_RANK = 64
BYTES = {
    **dict.fromkeys(("DoubleStorage", "LongStorage", "ComplexFloatStorage", "float64", "int64"), 8),
    **dict.fromkeys(("HalfStorage", "BFloat16Storage", "ShortStorage", "float16", "bfloat16", "int16"), 2),
    **dict.fromkeys(("FloatStorage", "IntStorage", "float32", "int32"), 4),
    "ComplexDoubleStorage": 16,
}  # per number of a kind of storage; any other: 1


class Stand:
    """Stand-in for what a name in a pickle means: nothing is known of it, and nothing happens to it."""

    def __init__(self, name: str = "", *_: object) -> None:
        self.name = name


class Storage(Stand):
    """The numbers behind tensors."""

    def __init__(self, num_bytes: int) -> None:
        super().__init__("storage")
        self.num_bytes = num_bytes


class Names(dict[Any, Any]):
    """A mapping whose keys are texts and numbers, as those of a state dict and of an optimizer's are."""

    def __setitem__(self, key: object, value: object) -> None:
        if not isinstance(key, str | bytes | int | float | None):
            raise Unreadable("it holds keys that are neither texts nor numbers; nothing in it was run")
        super().__setitem__(key, value)


def _mapping(*arguments: object) -> Names:
    if any(isinstance(argument, list | tuple | dict) and argument for argument in arguments):
        raise Unreadable("it makes a mapping in a way that state dicts do not; nothing in it was run")
    return Names()


def _tensor(storage: object, offset: object, size: object, stride: object, *_: object) -> Stand:
    numbers = (offset, *size, *stride) if isinstance(size, tuple) and isinstance(stride, tuple) else (None,)
    if not isinstance(storage, Storage) or not all(type(n) is int and n >= 0 for n in numbers):
        raise Unreadable("it holds a tensor that is none")
    assert isinstance(size, tuple)
    if len(size) > MAX_RANK or math.prod(size) > max(storage.num_bytes, 1):
        raise Unreadable("a tensor in it claims more numbers than the file holds")
    return Stand("tensor")


def _parameter(tensor: object, *_: object) -> object:
    return tensor


def _subclassed(make: Callable[..., object], _: object, arguments: tuple[object, ...], *__: object) -> object:
    return make(*arguments)


def _flat(values: object = ()) -> list[object]:
    if isinstance(values, list) and all(isinstance(value, str | bytes | int | float | None) for value in values):
        return values
    raise Unreadable("it holds a set of more than texts and numbers")


def _encoded(text: object, encoding: object = "latin1") -> bytes:
    if isinstance(text, str) and encoding in ("latin1", "latin-1", "utf-8", "utf8", "ascii"):
        return text.encode(encoding, "replace")
    raise Unreadable("it encodes a text in a way that torch never does")


def _path(*parts: object) -> str:
    if not all(isinstance(part, str) for part in parts):
        raise Unreadable("it holds a path that is none")
    return "/".join(map(str, parts))


def _numpy_scalar(kind: object, content: object = None) -> Stand:
    return Stand("number")


def _new(name: str) -> Callable[..., Stand]:
    return lambda *_: Stand(name)


_PATHS = ("PosixPath", "WindowsPath", "PurePosixPath")
KNOWN: Mapping[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): _mapping,
    ("collections", "defaultdict"): _mapping,
    ("collections", "Counter"): lambda counts=(): counts if isinstance(counts, Names) else _mapping(counts),
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
    ("torch._tensor", "_rebuild_from_type_v2"): _subclassed,
    ("torch", "Size"): lambda size=(): size,
    ("torch", "device"): _new("device"),
    ("torch", "Tensor"): Stand("Tensor"),
    ("torch.nn.parameter", "Parameter"): Stand("Parameter"),
    ("torch.storage", "UntypedStorage"): Stand("UntypedStorage"),
    ("torch.torch_version", "TorchVersion"): lambda version="": version,
    ("_codecs", "encode"): _encoded,
    **{(builtins, "set"): _flat for builtins in ("builtins", "__builtin__")},
    **{(builtins, "complex"): _new("number") for builtins in ("builtins", "__builtin__")},
    ("argparse", "Namespace"): _new("namespace"),
    ("numpy", "dtype"): lambda code="", *_: Stand(_path(code)),
    **{(f"numpy.{core}.multiarray", "scalar"): _numpy_scalar for core in ("core", "_core")},
    **{(module, kind): _path for module in ("pathlib", "pathlib._local") for kind in _PATHS},
}
NOT_PLAIN = ("_rebuild_sparse_tensor", "_rebuild_sparse_csr_tensor", "_rebuild_qtensor", "_rebuild_nested_tensor",
             "_rebuild_meta_tensor_no_storage", "_rebuild_device_tensor_from_numpy",
             "_rebuild_device_tensor_from_cpu_tensor", "_rebuild_wrapper_subclass")  # fmt: skip


# What torch, which writes the second protocol, never uses; a frame's opcodes would not be counted.
NEVER_WRITTEN = (pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET, pickle.FRAME, pickle.EXT1, pickle.EXT2,
                 pickle.EXT4, pickle.BYTEARRAY8, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER)  # fmt: skip


class _CountedFile:
    """A file whose opcodes, which are read one byte at a time, are counted, with whatever else takes time or memory."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.num_read = file, 0

    def spend(self, count: int) -> None:
        self.num_read += count
        if self.num_read > MAX_OPCODES:
            raise Unreadable("it holds far more values than a checkpoint does")

    def read(self, size: int) -> bytes:
        self.spend(1)
        return self.file.read(size)

    def readline(self) -> bytes:
        self.spend(NAME_COST)
        return self.file.readline()

    def readinto(self, buffer: Any) -> int:
        return self.file.readinto(buffer)  # type: ignore[attr-defined, no-any-return]


class Rehearsal(pickle._Unpickler):
    """Reads pickles of torch's, and sums up what their storages ask for.

    Python's own unpickler, not its faster twin: that one allocates for the numbers of the memo that a file claims.
    """

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)
    stack: list[Any]
    append: Callable[[object], None]
    pop_mark: Callable[[], list[Any]]

    def __init__(self, file: BinaryIO, allowed_bytes: int) -> None:
        self.counted = _CountedFile(file)
        super().__init__(self.counted, encoding="utf-8", errors="replace")
        self.allowed_bytes = allowed_bytes
        self.storages: dict[str, int] = {}
        self.num_bytes = 0

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for a name.

        Raises:
            Unreadable: for one that no state dict has.
        """
        if (module, name) in KNOWN:
            return KNOWN[module, name]
        if module == "torch" and (name.endswith("Storage") or name in BYTES or name in ("bool", "uint8", "int8")):
            return Stand(name)
        if name in NOT_PLAIN:
            raise Unreadable("it holds a tensor that is not a plain one", "save the weights dense, unquantised, from "
                             "the CPU")  # fmt: skip
        raise Unreadable(
            f"it holds more than tensors and plain values ({ascii(f'{module}.{name}')[1:-1]}); nothing in it was run",
            "where it was made, save model.state_dict() alone",
        )

    def persistent_load(self, pid: object) -> Storage:
        """A storage, whose claimed size counts once.

        Raises:
            Unreadable: where all of them claim more than the file holds.
        """
        match pid:
            case ("storage", kind, str(key), _, int(count), *_) if count >= 0:
                size = count * BYTES.get(getattr(kind, "name", ""), 1)
                self.num_bytes += max(0, size - self.storages.get(key, 0))
                self.storages[key] = max(size, self.storages.get(key, 0))
                if self.num_bytes > self.allowed_bytes:
                    raise Unreadable("its tensors claim more numbers than the file holds")
                return Storage(size)
            case _:
                raise Unreadable("it holds a storage that is none")

    def _load_dictionary(self) -> None:
        items = self.pop_mark()
        names = Names()
        for key, value in zip(items[::2], items[1::2], strict=False):
            names[key] = value
        self.append(names)

    def _load_empty_dictionary(self) -> None:
        self.append(Names())

    def _call(self) -> None:
        arguments = self.stack.pop()
        self.counted.spend(CALL_COST)
        self._spend_copy(arguments)
        self.stack.append(self.stack.pop()(*arguments))

    def _spend_copy(self, value: object, levels: int = 3) -> None:
        """Count what a call may copy: one text, list or mapping can be given to a hundred thousand calls."""
        if isinstance(value, str | bytes | list | tuple | dict):
            self.counted.spend(len(value))
        if isinstance(value, tuple) and levels:
            for item in value:
                self._spend_copy(item, levels - 1)

    def _build(self) -> None:
        self._spend_copy(self.stack.pop())  # a state, which no stand-in has
        if not isinstance(self.stack[-1], Stand | Names):
            self._refuse()

    def _refuse(self) -> None:
        raise Unreadable("it holds values that no state dict has; nothing in it was run")

    dispatch[pickle.NEWOBJ[0]] = dispatch[pickle.REDUCE[0]] = _call
    dispatch[pickle.BUILD[0]] = _build
    dispatch[pickle.DICT[0]] = _load_dictionary
    dispatch[pickle.EMPTY_DICT[0]] = _load_empty_dictionary
    for _opcode in NEVER_WRITTEN:
        dispatch[_opcode[0]] = _refuse
