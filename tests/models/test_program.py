"""Programs replayed by wgpu-py: the second opinion on our shaders."""

import numpy as np
import pytest

import lamina
from helpers import leaf, normal, rng
from lamina import nn, ops
from lamina.interop import wgpu as interop
from lamina.testing import assert_close


@pytest.fixture(scope="module")
def gpu(adapter):
    """Lamina's adapter by name, and the same adapter opened by wgpu-py."""
    import wgpu

    same = wgpu.gpu.request_adapter_sync(power_preference="high-performance")
    return adapter["device"], same.request_device_sync()


def network():
    return nn.Sequential(
        nn.Conv2d(3, 12, 3, padding=1),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(12, 12, 3, stride=2, groups=12),
        nn.Sigmoid(),
        nn.GlobalAvgPool2d(),
        nn.Flatten(),
        nn.Linear(12, 7),
        nn.Softmax(),
    )


FUNCTIONS = {
    "network": (network, [(2, 3, 17, 18)]),
    "product": (lambda: lambda a, b: ops.relu(a @ b + 0.5), [(33, 65), (65, 31)]),
    "chain": (lambda: lambda x: ops.tanh(x) * ops.exp(-x * x) + ops.erf(x), [(5, 129)]),
    "reductions": (
        lambda: lambda x: ops.softmax(x, 1) + ops.mean(x, 0, True) + ops.max(x, 1, True),
        [(33, 65)],
    ),
    "moves": (lambda: lambda x: ops.pad(ops.concat([x.mT, x.mT], 0), [(1, 2), (3, 0)])[::2], [(7, 9)]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_replayed_by_wgpu(gpu, tmp_path, name):
    ours, device = gpu
    make, shapes = FUNCTIONS[name]
    target = make()
    arrays = {
        f"x{at}" if len(shapes) > 1 else "x": normal(*shape, seed=at).astype(np.float32)
        for at, shape in enumerate(shapes)
    }
    with lamina.no_grad():
        module = target.eval() if isinstance(target, nn.Module) else target
        wanted = module(*(lamina.tensor(a) for a in arrays.values())).numpy()
    target = target.to(ours) if isinstance(target, nn.Module) else target
    made = interop.program(target, {n: lamina.tensor(a, device=ours) for n, a in arrays.items()})
    path = tmp_path / "saved.lamina"
    made.save(path)
    loaded = lamina.Program.load(path)
    assert loaded.to_parts() == made.to_parts()
    player = interop.Player(loaded, device)
    for _ in range(2):
        assert_close(player.run(arrays)["y"], wanted)


def test_buffers_stay_on_the_device(gpu):
    import wgpu

    ours, device = gpu
    x = rng(0).standard_normal((4, 33)).astype(np.float32)
    made = interop.program(lambda t: ops.tanh(t), leaf(x, ours).detach())
    usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_SRC | wgpu.BufferUsage.COPY_DST
    given = device.create_buffer_with_data(data=x.tobytes(), usage=usage)
    taken = device.create_buffer(size=x.nbytes, usage=usage)
    assert interop.run(made, device, {"x": given}, {"y": taken}) == {}
    got = np.frombuffer(device.queue.read_buffer(taken), np.float32).reshape(x.shape)
    assert_close(got, np.tanh(x.astype(np.float64)), "map")


def test_bad_input(gpu):
    ours, device = gpu
    made = interop.program(lambda t: t + 1.0, lamina.tensor(np.zeros((2, 3), np.float32), device=ours))
    for message, inputs in (
        ("interop.wgpu: the input 'x' is missing", {}),
        ("interop.wgpu: no input 'z'; there are: x", {"z": 1.0}),
        ("interop.wgpu: 'x' has shape (3,), the program's is (2, 3)", {"x": np.zeros(3)}),
    ):
        with pytest.raises(lamina.ArgumentError) as raised:
            interop.run(made, device, inputs)
        assert str(raised.value) == message


def test_files_that_are_no_programs(tmp_path):
    path = tmp_path / "not.lamina"
    for data in (b"", b"LAMINAGP", bytes(100)):
        path.write_bytes(data)
        with pytest.raises(lamina.ModelError):
            lamina.Program.load(path)
