"""Real files that are cut, flipped or point elsewhere: typed errors only, whatever the damage."""

import contextlib
import os
from itertools import pairwise

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import lamina
from helpers import raises, rng
from lamina import nn, ops
from lamina.interop import wgpu

# Longer: LAMINA_FUZZ_SECONDS, as for the fuzzers' own loop.
MORE = int(os.environ.get("LAMINA_FUZZ_SECONDS", "0")) // 10 + 1

FILES = {
    "mnist": "mnist/mnist.onnx",
    "faces": "faces/version-RFB-320_simplified.onnx",
    "style": "style/mosaic.onnx",
    "speech": "speech/silero_vad_16k_op15.onnx",
    "half": "imagenet/SqueezeNet_fp16.onnx",
}


def try_all(data):
    """Loads it; what loads, and is small, runs.  Whatever is wrong has a type, and is not our own fault."""
    try:
        loaded = lamina.onnx.load(bytes(data), device="cpu")
        if all(isinstance(n, int) for i in loaded.inputs for n in i.shape or "?"):
            sizes = [i.shape for i in loaded.inputs]
            if sum(int(np.prod(s, dtype=object)) for s in sizes) <= 1 << 12:
                loaded.run({i.name: np.ones(i.shape, np.float32) for i in loaded.inputs})
    except lamina.InternalError:
        raise
    except lamina.LaminaError:
        pass


def regions(count, length):
    """`count` places, one in each of as many parts of a file."""
    edges = np.linspace(0, length, count + 1).astype(int)
    return [int(rng(at).integers(low, max(high, low + 1))) for at, (low, high) in enumerate(pairwise(edges))]


def structure(data):
    """Where the bytes lie that are no weights: of long stretches, the ends."""
    model = onnx.load_from_string(data)
    keep = np.ones(len(data), bool)
    for tensor in model.graph.initializer:
        raw = tensor.raw_data
        at = data.find(raw) if len(raw) > 64 else -1
        if at >= 0:
            keep[at + 8 : at + len(raw) - 8] = False
    return np.flatnonzero(keep)


@pytest.mark.parametrize("name", FILES)
def test_cut_in_every_region(name, data):
    whole = (data / FILES[name]).read_bytes()
    for end in regions(40 * MORE, len(whole)):
        with contextlib.suppress(lamina.ModelError, lamina.UnsupportedError):
            lamina.onnx.load(whole[:end], device="cpu")
            pytest.fail(f"loaded when cut at {end}")


@pytest.mark.parametrize("name", FILES)
def test_flipped_in_every_region(name, data):
    whole = (data / FILES[name]).read_bytes()
    places = structure(whole)
    count = (300 if name == "mnist" else 40) * MORE
    chosen = [places[at] for at in regions(count, len(places))] + regions(10 * MORE, len(whole))
    for seed, at in enumerate(chosen):
        flipped = bytearray(whole)
        flipped[at] ^= 1 << int(rng(seed).integers(8))
        try_all(flipped)


def external(location, offset=None, length=None, count=1, elements=2):
    """A model whose weights lie in a file beside it."""
    weights = []
    for i in range(count):
        tensor = TensorProto(name=f"w{i}", data_type=TensorProto.FLOAT, dims=[elements])
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", offset), ("length", length)):
            if value is not None:
                tensor.external_data.add(key=key, value=str(value))
        weights.append(tensor)
    nodes = [helper.make_node("Add", ["x", w.name], [f"y{i}"]) for i, w in enumerate(weights)]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [elements])],
        [helper.make_tensor_value_info(f"y{i}", TensorProto.FLOAT, None) for i in range(count)],
        weights,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return made.SerializeToString()


@pytest.fixture
def room(tmp_path):
    """A model's folder, with weights beside it and a secret outside."""
    folder = tmp_path / "model"
    (folder / "inner").mkdir(parents=True)
    numbers = np.arange(4, dtype=np.float32).tobytes()
    (folder / "w.bin").write_bytes(numbers)
    (folder / "inner" / "w.bin").write_bytes(numbers)
    (tmp_path / "secret.bin").write_bytes(numbers)
    (folder / "out").symlink_to(tmp_path)
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    (folder / "in.bin").symlink_to(folder / "w.bin")
    (folder / "zero").symlink_to("/dev/zero")
    (folder / "loop").symlink_to(folder / "loop")
    os.mkfifo(folder / "pipe")
    return folder


def load(room, data):
    (room / "m.onnx").write_bytes(data)
    return lamina.onnx.load(room / "m.onnx", device="cpu")


@pytest.mark.parametrize("location", ["w.bin", "./w.bin", "inner/w.bin", "in.bin"])
def test_weights_beside_the_model(room, location):
    made = load(room, external(location, offset=8, length=8)).run({"x": np.zeros(2, np.float32)})
    np.testing.assert_array_equal(made["y0"], [2, 3])


@pytest.mark.parametrize(
    "location",
    [
        "../secret.bin",
        "inner/../../secret.bin",
        "inner/../w.bin",
        "/etc/hostname",
        "{tmp}/secret.bin",
        "out/secret.bin",
        "link.bin",
        "zero",
        "/dev/zero",
        "loop",
        "pipe",
        "inner",
        ".",
        "",
        "none.bin",
        "w.bin\x00",
        "w" * 100_000,
        "inner/" * 10_000 + "w.bin",
    ],
    ids=range(18),
)
def test_weights_anywhere_else(room, location):
    with pytest.raises(lamina.ModelError, match="external data"):
        load(room, external(location.format(tmp=room.parent)))


@pytest.mark.parametrize(
    ("offset", "length"),
    [
        (16, None),
        (9, 8),
        (0, 4),
        (0, 16),
        (-8, 8),
        (0, -1),
        (2**63, 8),
        (2**64 - 4, 8),
        (2**64, 8),
        ("1e1", 8),
        ("", 8),
    ],
)
def test_weights_outside_of_their_file(room, offset, length):
    with pytest.raises(lamina.ModelError, match="external data"):
        load(room, external("w.bin", offset, length))


def test_weights_of_bytes_have_no_folder():
    raises(
        lamina.ModelError,
        "initializer 'w0': external data: a model given as bytes has no folder to read it from",
        lambda: lamina.onnx.load(external("w.bin"), device="cpu"),
    )


@pytest.fixture(scope="module")
def program(adapter):
    """A program of a small network."""
    gpu = adapter["device"]
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU()).to(gpu)
    return wgpu.program(net, ops.zeros((2, 4), device=gpu))


def test_programs_that_are_damaged(program, tmp_path):
    path = tmp_path / "some.program"
    program.save(path)
    whole = path.read_bytes()
    assert lamina.Program.load(path).to_parts() == program.to_parts()
    damaged = [whole[:end] for end in regions(60, len(whole))]
    for seed, at in enumerate(regions(200 * MORE, len(whole))):
        flipped = bytearray(whole)
        flipped[at] ^= 1 << int(rng(seed).integers(8))
        damaged.append(bytes(flipped))
    for data in damaged:
        path.write_bytes(data)
        with pytest.raises(lamina.ModelError, match=r"some\.program"):
            lamina.Program.load(path)


def test_programs_of_other_versions(program, tmp_path):
    """As another release would write them: whole, by its own checksum."""
    path = tmp_path / "some.program"
    program.save(path)
    whole = path.read_bytes()
    length = int.from_bytes(whole[8:16], "little")
    for version in ("0", "2", "99", "4294967296", "-1", "null", '"1"'):
        header = whole[24 : 24 + length].replace(b'"version":1', f'"version":{version}'.encode(), 1)
        rest = whole[24 + length :]
        path.write_bytes(whole[:8] + len(header).to_bytes(8, "little") + fnv(header + rest) + header + rest)
        with pytest.raises(lamina.ModelError, match=r"version|invalid"):
            lamina.Program.load(path)


def fnv(data):
    """FNV-1a of 64 bits."""
    state = 0xCBF29CE484222325
    for byte in data:
        state = (state ^ byte) * 0x100000001B3 % 2**64
    return state.to_bytes(8, "little")


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "/", "/none", "{pipe}"])
def test_programs_that_are_no_files(path, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(lamina.ModelError):
        lamina.Program.load(path.format(pipe=tmp_path / "pipe"))


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "/", "{pipe}"])
def test_models_that_are_no_files(path, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(lamina.ModelError):
        lamina.onnx.load(path.format(pipe=tmp_path / "pipe"), device="cpu")
