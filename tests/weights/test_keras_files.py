"""Keras' files: every layout it writes, and what a hostile HDF5 file may not do."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from resnetkit.errors import Code, ResnetkitError
from resnetkit.models.catalog import find_entry
from resnetkit.models.resnet import ResNet
from resnetkit.models.spec import CONV_OF_PREACT
from resnetkit.sources.origins import find_origin
from resnetkit.weights import load_weights, read_weights, save_weights, to_native
from resnetkit.weights.identification import identify

h5py = pytest.importorskip("h5py")

SMALL = {"depths": (2, 2), "widths": (4, 6), "num_classes": 5}
V1 = replace(find_entry("keras_resnet50").spec, strides=(1, 2), **SMALL)
V2 = replace(find_entry("keras_resnet50v2").spec, strides=(2, 1), **SMALL)
TUTORIAL = find_entry("tutorial_preact").spec


def applications_network(keras: Any, *, v2: bool) -> Any:
    """A small network from the functions that build keras.applications' large ones."""
    source = pytest.importorskip("keras.src.applications.resnet")

    def stages(x: Any) -> Any:
        if v2:
            x = source.stack_residual_blocks_v2(x, 4, 2, name="conv2")
            return source.stack_residual_blocks_v2(x, 6, 2, stride1=1, name="conv3")
        x = source.stack_residual_blocks_v1(x, 4, 2, stride1=1, name="conv2")
        return source.stack_residual_blocks_v1(x, 6, 2, name="conv3")

    return source.ResNet(stages, v2, True, weights=None, classes=5, input_shape=(64, 64, 3), classifier_activation=None)


def tutorial_network(keras: Any, *, own_norm: bool, skip_first: bool) -> Any:
    """Pre-activation [2,2,2], no layer named; a skip may be written before the branch or after it."""
    layers = keras.layers

    def norm_relu(x: Any) -> Any:
        return layers.ReLU()(layers.BatchNormalization()(x))

    def conv(x: Any, width: int, size: int = 3, strides: int = 1) -> Any:
        return layers.Conv2D(width, size, strides=strides, padding="same", use_bias=False)(x)

    images = layers.Input((28, 28, 1))
    x = conv(images, 16)
    for width, strides in ((16, 1), (32, 2), (64, 2)):
        for number in (0, 1):
            strides = strides if number == 0 else 1
            projects = number == 0 and width > 16
            skip, preact = x, None
            if projects and skip_first and own_norm:
                skip = conv(norm_relu(x), width, 1, strides)
            preact = norm_relu(x)
            branch = conv(norm_relu(conv(preact, width, 3, strides)), width)
            if projects and not (skip_first and own_norm):
                skip = conv(norm_relu(x) if own_norm else preact, width, 1, strides)
            x = layers.Add()([skip, branch])
    x = layers.GlobalAveragePooling2D()(norm_relu(x))
    return keras.Model(images, layers.Dense(10)(x))


def draw(network: Any) -> None:
    """Weights, statistics and biases at random."""
    generator = np.random.default_rng(0)
    for variable in network.weights:
        shape = tuple(variable.shape)
        if variable.name in ("moving_variance", "gamma"):
            variable.assign(generator.uniform(0.5, 1.5, shape))
        elif len(shape) > 1:
            variable.assign(generator.normal(0, (2 / np.prod(shape[:-1])) ** 0.5, shape))
        elif shape:
            variable.assign(generator.normal(0, 0.3, shape))


def answers(network: Any) -> Callable[[Tensor], Tensor]:
    return lambda images: network(images.permute(0, 2, 3, 1).contiguous(), training=False).cpu()


SUFFIXES = [".weights.h5", ".h5", ".keras"]


def save(network: Any, path: Path) -> Path:
    if path.name.endswith(".weights.h5"):
        network.save_weights(path)
    else:
        network.save(path)
    return path


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("v2", [False, True], ids=["v1", "v2"])
def test_keras_applications(keras: Any, compare: Any, tmp_path: Path, v2: bool) -> None:
    network = applications_network(keras, v2=v2)
    draw(network)
    for suffix in SUFFIXES:
        path = save(network, tmp_path / f"w{suffix}")
        naming = f"keras.applications v{1 + v2}"
        native = compare(path, V2 if v2 else V1, naming, answers(network), size=64)
        assert native.notes == (f"renamed from {naming}",)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("own_norm", "skip_first"), [(True, False), (True, True), (False, False)])
def test_the_tutorials_unnamed_layers(
    keras: Any, compare: Any, tmp_path: Path, own_norm: bool, skip_first: bool
) -> None:
    network = tutorial_network(keras, own_norm=own_norm, skip_first=skip_first)
    network.compile("adam", "mse")
    draw(network)
    spec = TUTORIAL if own_norm else replace(TUTORIAL, block=replace(TUTORIAL.block, projection=CONV_OF_PREACT))
    for suffix in SUFFIXES:
        path = save(network, tmp_path / f"w{suffix}")
        compare(path, spec, "Keras, unnamed layers", answers(network), size=28)


def subclassed_network(keras: Any) -> Any:
    """The same network as the tutorial writes it: classes, whose attributes name the layers in a file."""

    def conv(channels: int, size: int = 3, strides: int = 1) -> Any:
        return keras.layers.Conv2D(channels, size, strides=strides, padding="same", use_bias=False)

    class ResnetBlock(keras.Model):
        def __init__(self, channels: int, strides: int = 1, residual_path: bool = False) -> None:
            super().__init__()
            self.settings = {"channels": channels, "strides": strides, "residual_path": residual_path}
            self.residual_path = residual_path
            self.conv1, self.bn1 = conv(channels, 3, strides), keras.layers.BatchNormalization()
            self.conv2, self.bn2 = conv(channels), keras.layers.BatchNormalization()
            if residual_path:
                self.down_conv, self.down_bn = conv(channels, 1, strides), keras.layers.BatchNormalization()

        def get_config(self) -> dict[str, Any]:
            return dict(self.settings)

        def call(self, inputs: Any, training: bool | None = None) -> Any:
            relu, skip = keras.ops.relu, inputs
            x = self.conv1(relu(self.bn1(inputs, training=training)))
            x = self.conv2(relu(self.bn2(x, training=training)))
            if self.residual_path:
                skip = self.down_conv(relu(self.down_bn(inputs, training=training)))
            return x + skip

    class ResNet(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.conv_initial = conv(16)
            self.blocks = keras.models.Sequential(name="dynamic-blocks")
            for stage, channels in enumerate((16, 32, 64)):
                self.blocks.add(ResnetBlock(channels, 2, True) if stage else ResnetBlock(channels))
                self.blocks.add(ResnetBlock(channels))
            self.final_bn = keras.layers.BatchNormalization()
            self.avg_pool = keras.layers.GlobalAveragePooling2D()
            self.fc = keras.layers.Dense(10)

        def call(self, inputs: Any, training: bool | None = None) -> Any:
            x = self.blocks(self.conv_initial(inputs), training=training)
            return self.fc(self.avg_pool(keras.ops.relu(self.final_bn(x, training=training))))

    network = ResNet()
    network(np.zeros((1, 28, 28, 1), np.float32))
    return network


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
def test_the_tutorials_subclassed_model(keras: Any, compare: Any, tmp_path: Path, suffix: str) -> None:
    network = subclassed_network(keras)
    network.compile("adam", "mse")
    draw(network)
    path = save(network, tmp_path / f"w{suffix}")
    native = compare(path, TUTORIAL, "the Fashion-MNIST tutorial's subclassed Keras model", answers(network), size=28)
    origin = find_origin(read_weights(path), native.naming)
    assert identify(native.tensors, origin.evidence).choose(None, source=str(path)).name == "tutorial_preact"


@pytest.mark.filterwarnings("ignore")
def test_unnamed_layers_of_another_network(keras: Any, tmp_path: Path) -> None:
    layers = keras.layers
    images = layers.Input((8, 8, 3))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3)(layers.Conv2D(6, 3)(images)))
    path = save(keras.Model(images, layers.Dense(2)(layers.Flatten()(x))), tmp_path / "w.weights.h5")
    with pytest.raises(ResnetkitError, match="no known naming") as raised:
        to_native(read_weights(path))
    assert "automatic names" in raised.value.why


@pytest.mark.filterwarnings("ignore")
def test_a_network_used_as_a_layer(keras: Any, tmp_path: Path) -> None:
    base = applications_network(keras, v2=False)
    draw(base)
    body = keras.Model(base.input, base.get_layer("avg_pool").output)
    whole = keras.Sequential([keras.layers.Input((64, 64, 3)), body, keras.layers.Dense(3)])
    draw(whole)
    for suffix in SUFFIXES:
        native = to_native(read_weights(save(whole, tmp_path / f"w{suffix}")))
        load_weights(ResNet(replace(V1, num_classes=3)), native.tensors, source="whole")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("v2", [False, True], ids=["v1", "v2"])
def test_keras_reads_what_was_saved(keras: Any, randomize: Any, tmp_path: Path, v2: bool) -> None:
    ours, theirs = randomize(ResNet(V2 if v2 else V1)), applications_network(keras, v2=v2)
    save_weights(ours, tmp_path / "w.weights.h5", naming="keras")
    theirs.load_weights(tmp_path / "w.weights.h5")
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(answers(theirs)(images), ours(images), rtol=1e-5, atol=1e-4)


def legacy_file(path: Path, *, suffix: str = ":0", split: bool = False) -> dict[str, np.ndarray]:
    """As Keras 2 wrote: names in attributes, a long list of them in pieces."""
    arrays = {
        "conv1_conv/kernel": np.arange(24, dtype="f4").reshape(1, 1, 3, 8),
        "conv2_block1_3_bn/gamma": np.arange(8, dtype="f4"),
    }
    with h5py.File(path, "w") as file:
        layers = ["input_1", "conv1_conv", "conv2_block1_3_bn"]
        if split:
            file.attrs["layer_names0"], file.attrs["layer_names1"] = (
                np.array(layers[:2], "S"),
                np.array(layers[2:], "S"),
            )
        else:
            file.attrs["layer_names"] = np.array(layers, "S")
        file.create_group("input_1").attrs["weight_names"] = np.array([], "S1")
        for name, array in arrays.items():
            group = file.create_group(name.partition("/")[0])
            group.attrs["weight_names"] = np.array([f"{name}{suffix}"], "S")
            group[f"{name}{suffix}"] = array
    return arrays


@pytest.mark.parametrize("split", [False, True])
def test_keras_2_weights(tmp_path: Path, split: bool) -> None:
    arrays = legacy_file(tmp_path / "w.h5", split=split)
    file = read_weights(tmp_path / "w.h5")
    assert file.format == "hdf5"
    assert list(file.tensors) == list(arrays)
    native = to_native(file)
    assert native.tensors["conv1.weight"].shape == (8, 3, 1, 1)
    assert native.tensors["conv1.weight"][:, 1, 0, 0].tolist() == arrays["conv1_conv/kernel"][0, 0, 1].tolist()
    assert native.tensors["layer1.0.bn3.weight"].tolist() == arrays["conv2_block1_3_bn/gamma"].tolist()


@pytest.mark.filterwarnings("ignore")
def test_the_first_keras_3_did_not_name_its_layers(keras: Any, compare: Any, tmp_path: Path) -> None:
    network = applications_network(keras, v2=True)
    draw(network)
    with zipfile.ZipFile(save(network, tmp_path / "new.keras")) as file:
        config, weights = file.read("config.json"), io.BytesIO(file.read("model.weights.h5"))
    with h5py.File(weights, "r+") as file:
        for container in file["layers"].values():
            del container["vars"].attrs["name"]
    path = archive(tmp_path / "old.keras", weights.getvalue(), config)
    compare(path, V2, "keras.applications v2", answers(network), size=64)


def test_short_floats_are_widened(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "w.weights.h5", "w") as file:
        half = file.create_dataset("layers/conv2d/vars/0", data=np.ones((1, 1, 2, 2), "f2"))
        assert half.dtype == "f2"
        brain = torch.tensor([1.5, -2.0]).bfloat16()
        dataset = file.create_dataset("layers/conv2d/vars/1", data=brain.view(torch.int16).numpy().view("V2"))
        dataset.attrs["dtype"] = "bfloat16"
    file = read_weights(tmp_path / "w.weights.h5")
    assert file.tensors["conv2d/bias"].tolist() == [1.5, -2.0]
    assert {tensor.dtype for tensor in file.tensors.values()} == {torch.float32}
    assert file.notes == ("read bfloat16, float16 as float32",)


def test_without_h5py_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    legacy_file(tmp_path / "w.h5")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ResnetkitError, match="h5py") as raised:
        read_weights(tmp_path / "w.h5")
    assert "resnetkit[keras]" in raised.value.fix


# --- hostile files ---


def external_link(file: Any, secret: Path) -> None:
    file.create_group("layers")["conv2d"] = h5py.ExternalLink(secret.name, "/layers/conv2d")


def soft_link(file: Any, secret: Path) -> None:
    file.create_group("layers")["conv2d"] = h5py.SoftLink("/layers")


def external_storage(file: Any, secret: Path) -> None:
    file.create_dataset("layers/conv2d/vars/0", (4,), "f4", external=[(str(secret), 0, 16)])


def virtual_dataset(file: Any, secret: Path) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource(str(secret), "layers/conv2d/vars/0", (4,), "f4")
    file.create_virtual_dataset("layers/conv2d/vars/0", layout)


def absurd_shape(file: Any, secret: Path) -> None:
    file.create_dataset("layers/conv2d/vars/0", (1 << 40,), "f4", chunks=(1 << 10,))


def absurd_chunk(file: Any, secret: Path) -> None:
    file.create_dataset("layers/conv2d/vars/0", (4,), "f4", chunks=(1 << 28,), maxshape=(None,), compression="gzip")


def many_large_ones(file: Any, secret: Path) -> None:
    for i in range(40):
        file.create_dataset(f"layers/conv2d_{i}/vars/0", (1 << 20,), "f4", chunks=(1 << 10,), compression="gzip")


def group_within_itself(file: Any, secret: Path) -> None:
    group = file.create_group("layers")
    for i in range(50):
        group[f"again_{i}"] = group


def text(file: Any, secret: Path) -> None:
    file["layers/conv2d/vars/0"] = "a text"


def nothing(file: Any, secret: Path) -> None:
    file.create_dataset("layers/conv2d/vars/0", dtype="f4")


def plug_in(file: Any, secret: Path) -> None:
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_chunk((4,))
    settings.set_filter(32001, h5py.h5z.FLAG_OPTIONAL)
    file.create_group("layers/conv2d/vars")
    space = h5py.h5s.create_simple((4,))
    h5py.h5d.create(file.id, b"layers/conv2d/vars/0", h5py.h5t.IEEE_F32LE, space, settings)


def listed_but_absent(file: Any, secret: Path) -> None:
    file.attrs["layer_names"] = np.array(["conv1_conv"], "S")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (external_link, "points elsewhere"),
        (soft_link, "points elsewhere"),
        (external_storage, "lie in another file"),
        (virtual_dataset, "lie in another file"),
        (absurd_shape, "asks for"),
        (absurd_chunk, "asks for"),
        (many_large_ones, "asks for"),
        (group_within_itself, "listed twice"),
        (text, "no numbers"),
        (nothing, "holds nothing"),
        (plug_in, "plug-in"),
        (listed_but_absent, "not there"),
    ],
)
def test_a_hostile_file_is_refused(tmp_path: Path, spoil: Callable[[Any, Path], None], why: str) -> None:
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["layers/conv2d/vars/0"] = np.ones(4, "f4")
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        spoil(file, secret)
    with pytest.raises(ResnetkitError, match="cannot be read as weights") as raised:
        read_weights(path)
    assert raised.value.code is Code.WEIGHTS
    assert why in raised.value.why


@pytest.mark.slow
def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "w.h5"
    legacy_file(path)
    content = path.read_bytes()
    for length in [0, 3, 8, 9, *range(40, len(content), len(content) // 40), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(ResnetkitError, match="cannot be read as weights") as raised:
            read_weights(path)
        assert raised.value.code is Code.WEIGHTS


def archive(path: Path, weights: bytes, config: bytes = b"{}") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("config.json", config)
        file.writestr("model.weights.h5", weights)
    return path


@pytest.mark.parametrize(
    ("weights", "config", "why"),
    [
        (bytes(100 << 20), b"{}", "asks for"),
        (b"no HDF5", b"{}", "damaged"),
        (b"no HDF5", b"{", "damaged"),
        (b"no HDF5", b"[" * 100_000, "damaged"),
    ],
    ids=["bomb", "no weights", "no JSON", "deep JSON"],
)
def test_a_hostile_archive_is_refused(tmp_path: Path, weights: bytes, config: bytes, why: str) -> None:
    path = archive(tmp_path / "w.keras", weights, config)
    with pytest.raises(ResnetkitError, match="cannot be read as weights") as raised:
        read_weights(path)
    assert raised.value.code is Code.WEIGHTS
    assert why in raised.value.why


def test_the_archives_configuration_is_kept(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["layers/conv2d/vars/0"] = np.ones((1, 1, 2, 2), "f4")
    config = {"class_name": "Functional", "config": {"name": "resnet50"}}
    file = read_weights(archive(tmp_path / "w.keras", buffer.getvalue(), json.dumps(config).encode()))
    assert file.format == "keras"
    assert file.metadata == {"keras_config": config}
    assert list(file.tensors) == ["conv2d/kernel"]
