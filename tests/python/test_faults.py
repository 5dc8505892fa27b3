"""What breaks around a process: memory, a device, a disk.  A typed error, and everything else goes on."""

import os
import resource
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import lamina
from helpers import normal, rng
from lamina import nn, ops
from lamina.interop import wgpu

X = normal(8, 8).astype(np.float32)


def python(code, **env):
    """What a process of its own prints; it must end well."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def works(device):
    made = ops.relu(lamina.tensor(X, device=device) @ lamina.tensor(X, device=device)).numpy()
    np.testing.assert_allclose(made, np.maximum(X @ X, 0), rtol=1e-5, atol=1e-5)
    return True


# ---- memory


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_a_memory_limit(device, request):
    """It holds for each device, and after it was met there is room for what fits."""
    name = request.getfixturevalue("adapter")["device"] if device == "gpu" else "cpu"
    code = f"""
    import lamina
    from lamina import ops
    held = []
    try:
        for _ in range(1000):
            held.append(lamina.tensor([1.0] * (1 << 20), device={name!r}) * 2.0)
            lamina.eval(held[-1])
    except lamina.OutOfMemoryError:
        print(len(held))
    try:
        (ops.zeros((1 << 30,), device={name!r}) + 1.0).numpy()
    except lamina.OutOfMemoryError:
        print("typed")
    del held
    print(float(ops.sum(ops.zeros((1 << 20,), device={name!r}) + 1.0).item()))
    print(ops.zeros((2,)).tolist() == [0, 0])
    """
    count, typed, total, other = python(code, LAMINA_MEMORY_LIMIT="64M")
    assert 0 < int(count) < 32
    assert (typed, total, other) == ("typed", str(float(1 << 20)), "True")


def test_a_buffer_that_the_adapter_cannot_bind(adapter):
    code = f"""
    import lamina
    from lamina import ops
    device = {adapter["device"]!r}
    for elements in (1 << 33, 1 << 40, 1 << 50):
        try:
            lamina.eval(ops.full((elements,), 1.0, device=device) + 1.0)
        except lamina.OutOfMemoryError as error:
            print("typed")
    print(float((ops.zeros((3,), device=device) + 1.0).sum().item()))
    """
    assert python(code) == ["typed", "typed", "typed", "3.0"]


# ---- a device


def test_a_device_that_is_lost(adapter, tmp_path):
    """In a process of its own: other tests hold tensors on the device."""
    lamina.onnx.save(nn.Linear(4, 3), ops.zeros((2, 4)), tmp_path / "net.onnx")
    code = f"""
    import numpy as np
    import lamina
    from lamina import nn, ops, optim
    device, path = {adapter["device"]!r}, {str(tmp_path / "net.onnx")!r}
    model, cpu = lamina.onnx.load(path, device=device), lamina.onnx.load(path, device="cpu")
    x = {{"x": np.ones((2, 4), np.float32)}}
    wanted = model.run(x)["y"]
    held = ops.zeros((4, 4), device=device) + 1.0
    lamina.eval(held)
    pending = held @ held
    net = nn.Linear(4, 4).to(device)
    lamina._lamina.destroy_device(device)
    def lost(call):
        try:
            call()
        except (lamina.DeviceError, lamina.LostError) as error:
            print("lost" if "lost" in str(error) else error)
    lost(held.numpy)
    lost(pending.numpy)
    lost(lambda: model.run(x))
    lost(lambda: net(held).numpy())
    lost(lambda: net.weight.tensor.numpy())
    print(cpu.run(x)["y"].shape == (2, 3))
    # Opened anew.
    print((ops.zeros((2,), device=device) + 1.0).tolist())
    print(np.array_equal(lamina.onnx.load(path, device=device).run(x)["y"], wanted))
    del held, pending, model, net
    print((ops.zeros((2,), device=device) + 2.0).tolist())
    """
    said = python(code)
    assert said == [*["lost"] * 5, "True", "[1.0,", "1.0]", "True", "[2.0,", "2.0]"]


REFUSED = {
    "unknown": "out0 = undefined_name;",
    "nonsense": "this is no WGSL",
    "braces": "out0 = in0; } } } {{{",
    "large": "out0 = in0; } var<workgroup> much: array<f32, 16777216>; fn f() { much[0] = 1.0;",
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_refused_pipeline(adapter, what):
    name = f"faults.{what}"
    lamina._lamina.register_op(name, lambda x: x, lambda x: x, wgsl=REFUSED[what])
    with pytest.raises(lamina.LaminaError) as raised:
        lamina._lamina.record(name, [lamina.tensor(X, device=adapter["device"])], {}).numpy()
    assert not isinstance(raised.value, lamina.InternalError)
    assert works(adapter["device"])
    assert works("cpu")


# ---- a disk


def saves(tmp_path):
    """Everything that is written to a name that a user gives."""
    from lamina import pictures

    Image, _ = pictures.pillow("a test")
    net = nn.Linear(3, 2)
    x = ops.zeros((1, 3))
    profile = lamina.profile(net(x))
    found = {
        "model": lambda path: lamina.onnx.save(net, x, path),
        "profile": lambda path: profile.save(path),
        "picture": lambda path: pictures.write(
            Image.fromarray(rng().integers(0, 255, (64, 64, 3)).astype("u1")), path
        ),
    }
    gpus = [d["device"] for d in lamina.devices() if d["device"] != "cpu"]
    if gpus:
        program = wgpu.program(ops.relu, ops.zeros((2, 3), device=gpus[0]))
        found["program"] = lambda path: program.save(path)
    return found


ENDINGS = {"model": ".onnx", "profile": ".json", "picture": ".png", "program": ".program"}


@pytest.mark.parametrize("what", ENDINGS)
def test_a_full_disk(what, tmp_path, request):
    """What was there stays, and no half file is left; a limit of a file's size stands for the disk's end."""
    save = saves(tmp_path).get(what)
    if save is None:
        request.getfixturevalue("adapter")
    path = tmp_path / f"some{ENDINGS[what]}"
    path.write_bytes(b"what was there")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises((lamina.LaminaError, OSError)) as raised:
            save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not isinstance(raised.value, lamina.InternalError)
    assert path.read_bytes() == b"what was there"
    assert list(tmp_path.iterdir()) == [path]
    save(path)
    assert path.read_bytes() != b"what was there"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("what", ENDINGS)
@pytest.mark.parametrize("where", ["/dev/full", "/proc/none", "/none/at/all", "{file}/below"])
def test_nowhere_to_write(what, where, tmp_path, request):
    save = saves(tmp_path).get(what)
    if save is None:
        request.getfixturevalue("adapter")
    (tmp_path / "file").write_text("")
    path = Path(where.format(file=tmp_path / "file"))
    # A picture's ending says how it is written.
    if what == "picture" and where != "/dev/full":
        path = path.with_suffix(".png")
    elif what == "picture":
        link = tmp_path / "link.png"
        link.symlink_to(path)
        path = link
    with pytest.raises((lamina.LaminaError, OSError)) as raised:
        save(path)
    assert not isinstance(raised.value, lamina.InternalError)
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


def test_writing_to_what_is_no_file(tmp_path):
    """Through a link to what it points to; a pipe and a device stay what they are."""
    target, link = tmp_path / "inner" / "net.onnx", tmp_path / "link.onnx"
    target.parent.mkdir()
    target.write_bytes(b"")
    link.symlink_to(target)
    lamina.onnx.save(nn.Linear(3, 2), ops.zeros((1, 3)), link)
    assert link.is_symlink()
    assert lamina.onnx.load(target, device="cpu").inputs[0].name == "x"
    lamina.onnx.save(nn.Linear(3, 2), ops.zeros((1, 3)), "/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.parametrize("cache", ["{file}", "/proc", "/none", "{full}"])
def test_caches_that_cannot_be_kept(cache, tmp_path):
    """What is measured or compiled is then measured or compiled again."""
    (tmp_path / "file").write_text("")
    (tmp_path / "full" / "lamina").mkdir(parents=True)
    (tmp_path / "full" / "lamina").chmod(0o500)
    lamina.onnx.save(nn.Conv2d(64, 128, 3), ops.zeros((1, 64, 15, 15)), tmp_path / "net.onnx")
    code = f"""
    import numpy as np, lamina
    model = lamina.onnx.load({str(tmp_path / "net.onnx")!r}, device="cpu")
    print(model.run({{"x": np.ones((1, 64, 15, 15), np.float32)}})["y"].shape[1])
    """
    where = cache.format(file=tmp_path / "file", full=tmp_path / "full")
    assert python(code, LAMINA_TUNE="100", XDG_CACHE_HOME=where) == ["128"]
