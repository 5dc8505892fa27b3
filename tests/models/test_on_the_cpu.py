"""What a GPU does not have runs on the CPU, and a plan says so: float64, and whatever `strict` refuses."""

import numpy as np
import onnx.parser
import pytest

import lamina
from helpers import normal, raises
from lamina.testing import assert_close

MIXED = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 3] x, double[2] bias) => (float[N, 2] y, double[N, 2] wide, double total)
<float[3, 2] w = {1.0, -2.0, 0.5, 3.0, -1.0, 0.25}, double[2] scale = {1.5, -0.3}, double two = {2.0}>
{
    product = MatMul(x, w)
    lifted = Cast<to = 11>(product)
    scaled = Mul(lifted, scale)
    moved = Add(scaled, bias)
    wide = Mul(moved, two)
    total = ReduceSum<keepdims = 0>(wide)
    narrow = Cast<to = 1>(wide)
    small = Cast<to = 1>(total)
    sum = Add(narrow, small)
    y = Relu(sum)
}
"""
WEIGHT = np.array([[1.0, -2.0], [0.5, 3.0], [-1.0, 0.25]])
SCALE = np.array([1.5, -0.3])

# Its shapes depend on data, and float64 stands before, between and after.
EAGER = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[N] x) => (double[M] y)
{
    wide = Cast<to = 11>(x)
    found = NonZero(x)
    rank = Constant<value = int64[1] {-1}>()
    places = Reshape(found, rank)
    chosen = Gather(wide, places)
    y = Mul(chosen, chosen)
}
"""

WITHOUT = EAGER.replace("double[M] y", "float[M] y").replace("Cast<to = 11>(x)", "Relu(x)")


def load(text, device, **how):
    return lamina.onnx.load(onnx.parser.parse_model(text).SerializeToString(), device=device, **how)


def inputs(n=4):
    return {"x": normal(n, 3).astype(np.float32), "bias": normal(2, seed=1)}


def expected(x, bias):
    wide = 2.0 * ((x.astype(np.float64) @ WEIGHT) * SCALE + bias)
    return np.maximum(wide + wide.sum(), 0.0), wide, wide.sum()


def test_float64_beside_float32(device):
    model = load(MIXED, device)
    given = inputs()
    y, wide, total = expected(**given)
    for _ in range(2):
        results = model.run(given)
        assert [results[name].dtype for name in ("y", "wide", "total")] == ["float32", "float64", "float64"]
        assert_close(results["y"], y, "sum", "float32")
        # What came before them was float32.
        assert_close(results["wide"], wide, "sum", "float32")
        assert_close(results["total"], total, "sum", "float32")


def test_float64_keeps_its_digits(device):
    text = """
    <ir_version: 8, opset_import: ["" : 17]>
    g (double[3] x) => (double[3] y)
    <double[3] third = {0.3333333333333333, 0.1, 0.7}> { a = Mul(x, third) y = Add(a, third) }
    """
    x = normal(3)
    third = np.array([0.3333333333333333, 0.1, 0.7])
    assert_close(load(text, device).run({"x": x})["y"], x * third + third, "map", "float64")


def test_only_steps_on_float64_move(adapter):
    device = adapter["device"]
    found = load(MIXED, device).explain(inputs())
    why = "float64 does not exist on a GPU"
    assert found.fallbacks
    assert all(line.endswith(f"runs on the CPU: {why}") for line in found.fallbacks)
    assert {line.split(" ")[0] for line in found.fallbacks} >= {"cast", "mul", "add", "sum"}
    where = {step.op.split("[")[0].split("+")[0]: step.device for step in found.steps}
    assert where["matmul"] == device
    assert found.steps[-1].device == device
    assert {step.device for step in found.steps if step.dtype == "float64"} == {"cpu"}
    assert load(MIXED, "cpu").explain(inputs()).fallbacks == []


def test_gradients_go_through_float64(device):
    model = load(MIXED, device)
    given = inputs()
    x = lamina.tensor(given["x"], device=device, requires_grad=True)
    results = model(x, given["bias"])
    assert [result.device for result in results] == [device] * 3
    gy = normal(4, 2, seed=2).astype(np.float32)
    (got,) = lamina.grad([results[0]], [x], [lamina.tensor(gy, device=device)])
    y, _, _ = expected(**given)
    through = gy * (y > 0)
    through = (through + through.sum()) * 2.0 * SCALE
    assert_close(got, through @ WEIGHT.T, "sum")


def test_strict_refuses_it(adapter):
    device = adapter["device"]
    model = load(MIXED, device, strict=True)
    for _ in range(2):
        with pytest.raises(lamina.UnsupportedError, match=r"strict: .*float64 does not exist on a GPU"):
            model.run(inputs())
    with pytest.raises(lamina.UnsupportedError, match=r"strict: .*float64 does not exist on a GPU"):
        load(MIXED, device, strict=True, shapes={"N": 4})
    load(MIXED, "cpu", strict=True).run(inputs())


def test_shapes_that_depend_on_data(device):
    x = np.array([0.0, 2.0, -3.0, 0.0, 0.1], np.float32)
    assert_close(
        load(EAGER, device).run({"x": x})["y"], np.square(x[x != 0].astype(np.float64)), "map", "float64"
    )
    kept = np.maximum(x[x != 0], 0)
    assert_close(load(WITHOUT, device, strict=True).run({"x": x})["y"], kept * kept, "map", "float32")


def test_strict_refuses_where_shapes_depend_on_data(adapter):
    device = adapter["device"]
    x = np.array([0.0, 2.0, -3.0], np.float32)
    model = load(EAGER, device, strict=True)
    for _ in range(2):
        with pytest.raises(lamina.UnsupportedError, match=r"strict: .*float64 does not exist on a GPU"):
            model.run({"x": x})
    # It is the model that is strict, not the thread.
    wide = lamina.tensor(x, device=device).to(lamina.float64)
    np.testing.assert_array_equal((wide * 2.0).numpy(), x.astype(np.float64) * 2.0)
    load(EAGER, device).run({"x": x})
    load(EAGER, "cpu", strict=True).run({"x": x})


def test_the_report_says_so(adapter):
    device = adapter["device"]
    report = lamina.onnx.check(onnx.parser.parse_model(MIXED).SerializeToString(), device=device)
    assert report
    moved = {node.name for node in report.fallbacks}
    assert moved == {"lifted", "scaled", "moved", "wide", "total", "narrow", "small"}


def test_a_tensor_of_float64_is_refused(adapter):
    device = adapter["device"]
    message = f"to: float64 does not exist on {device}; cast to float32 first, or stay on the CPU"
    raises(lamina.UnsupportedError, message, lambda: lamina.tensor(np.ones(3), device=device))
    raises(lamina.UnsupportedError, message, lambda: lamina.tensor(np.ones(3), device="cpu").to(device))


def test_what_comes_of_a_step_on_the_cpu_belongs_to_the_gpu(adapter):
    """Computed or not, viewed or not, it goes with what lies there."""
    device = adapter["device"]
    x = normal(2, 3).astype(np.float32)
    gpu = lamina.tensor(x, device=device)
    wide = gpu.to(lamina.float64) * 2.0
    for made in (wide, wide[0], wide.reshape(3, 2), wide.detach(), (wide * 1.0).to(lamina.float32)):
        lamina.eval(made)
        assert {t.device for t in (made, made.reshape(-1), made.detach())} == {device}
        beside = made.to(lamina.float32).reshape(-1) + gpu.reshape(-1)[: made.size]
        assert beside.device == device
        assert_close(beside, made.numpy().reshape(-1) + x.reshape(-1)[: made.size], "map", "float32")
