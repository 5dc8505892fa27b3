"""Images read where a grid says, regions of images, and determinants."""

import itertools

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

import lamina
from helpers import compare, normal, raises, rng
from lamina import ops
from lamina.testing import assert_close, check_gradients
from oracle import sampling as oracle

FORMS = list(
    itertools.product(("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection"), (False, True))
)
# Input and the grid's own axes: odd sizes, one pixel, none, more positions than a block has, channels
# that do not fill a group.
SHAPES = [
    ((2, 3, 5, 7), (4, 3)),
    ((1, 1, 1, 1), (3, 2)),
    ((0, 2, 3, 3), (2, 2)),
    ((2, 0, 3, 3), (2, 2)),
    ((1, 2, 3, 4), (0, 5)),
    ((1, 5, 9, 11), (13, 17)),
    ((1, 2, 3, 4, 5), (2, 3, 4)),
    ((2, 3, 6), (9,)),
]


def grid_for(shape, axes, seed=1, reach=1.4):
    """Coordinates somewhat beyond the image, away from where a derivative jumps."""
    return rng(seed).uniform(-reach, reach, (shape[0], *axes, len(shape) - 2))


@pytest.mark.parametrize(("shape", "axes"), SHAPES, ids=str)
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_grid_sample(device, form, shape, axes):
    mode, padding, aligned = form
    compare(
        lambda x, grid: ops.grid_sample(x, grid, mode, padding, aligned),
        [normal(*shape), grid_for(shape, axes)],
        device,
        lambda x, grid: oracle.grid_sample(x, grid, *form),
    )


@pytest.mark.parametrize("shape_axes", [SHAPES[0], SHAPES[5], SHAPES[6], SHAPES[7]], ids=str)
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_gradients_of_grid_sample(device, form, shape_axes):
    shape, axes = shape_axes
    mode, padding, aligned = form
    dtype = "float64" if device == "cpu" else "float32"
    x, grid = normal(*shape).astype(dtype), grid_for(shape, axes).astype(dtype)
    leaves = [lamina.tensor(a, device=device, requires_grad=True) for a in (x, grid)]
    y = ops.grid_sample(*leaves, mode, padding, aligned)
    gy = normal(*y.shape, seed=3).astype(dtype)
    got = lamina.grad([y], leaves, [lamina.tensor(gy, device=device)])
    wanted = oracle.grid_sample_vjp(*(a.astype(np.float64) for a in (gy, x, grid)), *form)
    assert_close(got[0], wanted[0])
    if mode == "nearest":
        wanted[1][:] = 0.0
    # By differences, which know some six digits.
    assert_close(got[1].numpy().astype(np.float32), wanted[1], "model")


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_coordinates_that_are_no_places(device, mode, padding, aligned):
    numbers = [np.nan, np.inf, -np.inf, 1e30, -1e30, -1.0, 0.25, 77.25]
    grid = np.array(list(itertools.product(numbers, repeat=2))).reshape(1, 8, 8, 2)
    if padding == "reflection":
        grid[np.abs(grid) > 1e9] = np.nan
    x = normal(1, 2, 4, 5)
    compare(
        lambda x, grid: ops.grid_sample(x, grid, mode, padding, aligned),
        [x, grid],
        device,
        lambda x, grid: oracle.grid_sample(x, grid, mode, padding, aligned),
    )
    leaves = [lamina.tensor(a.astype(np.float32), device=device, requires_grad=True) for a in (x, grid)]
    for gradient in lamina.grad(ops.grid_sample(*leaves, mode, padding, aligned).sum(), leaves):
        assert np.isfinite(gradient.numpy()).all()


def test_what_is_not_read_does_not_matter(device):
    x = np.array([[[[np.nan, 1.0, 2.0]]]], np.float32)
    grid = np.array([[[[0.3, 0.0], [5.0, 0.0], [0.9, 3.0]]]], np.float32)
    y = ops.grid_sample(lamina.tensor(x, device=device), lamina.tensor(grid, device=device))
    assert_close(y, [[[[1.45, 0.0, 0.0]]]])


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool", "float16", "float32"])
def test_nearest_moves_elements_of_any_kind(device, dtype):
    x = (normal(1, 2, 4, 5) * 9).astype(dtype)
    grid = grid_for(x.shape, (3, 3)).astype(np.float32)
    y = ops.grid_sample(lamina.tensor(x, device=device), lamina.tensor(grid, device=device), "nearest")
    np.testing.assert_array_equal(y.numpy(), oracle.grid_sample(x, grid, "nearest"))


def test_grid_sample_of_halves_and_of_views(device):
    x, grid = normal(2, 3, 7, 5), grid_for((2, 3, 5, 7), (4, 3))
    compare(
        lambda x, grid: ops.grid_sample(ops.permute(x, (0, 1, 3, 2)), ops.flip(grid, (1,))),
        [x, grid],
        device,
        lambda x, grid: oracle.grid_sample(x.transpose(0, 1, 3, 2), grid[:, ::-1]),
        dtype="float16",
    )


def test_affine_grids(device):
    for size in ((2, 1, 3, 5), (2, 4, 1, 1), (2, 1, 2, 3, 4)):
        axes = len(size) - 2
        for aligned in (False, True):
            compare(
                lambda theta, size=size, aligned=aligned: ops.affine_grid(theta, size, aligned),
                [normal(2, axes, axes + 1)],
                device,
                lambda theta, size=size, aligned=aligned: oracle.affine_grid(theta, size, aligned),
            )


def test_the_identity_samples_the_image(device):
    x = normal(1, 2, 5, 6).astype(np.float32)
    theta = lamina.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]], device=device)
    for mode, aligned in itertools.product(("bilinear", "nearest", "bicubic"), (False, True)):
        grid = ops.affine_grid(theta, x.shape, aligned)
        y = ops.grid_sample(lamina.tensor(x, device=device), grid, mode, "border", aligned)
        assert_close(y, x)


def runtime(op, inputs, **attributes):
    """What ONNX Runtime says."""
    names = [f"x{i}" for i in range(len(inputs))]
    kinds = {np.dtype("float32"): TensorProto.FLOAT, np.dtype("int64"): TensorProto.INT64}
    infos = [
        helper.make_tensor_value_info(n, kinds[a.dtype], a.shape) for n, a in zip(names, inputs, strict=True)
    ]
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([helper.make_node(op, names, ["y"], **attributes)], "g", infos, [result])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, dict(zip(names, inputs, strict=True)))[0]


def as_32(*arrays):
    return [np.asarray(a, np.float32) for a in arrays]


@pytest.mark.parametrize(("mode", "padding", "aligned"), FORMS)
def test_grid_sample_as_onnx_runtime(mode, padding, aligned):
    x, grid = as_32(normal(2, 3, 5, 7), grid_for((2, 3, 5, 7), (4, 6)))
    names = {"bilinear": "linear", "bicubic": "cubic"}
    wanted = runtime(
        "GridSample",
        [x, grid],
        mode=names.get(mode, mode),
        padding_mode=padding,
        align_corners=int(aligned),
    )
    got = ops.grid_sample(lamina.tensor(x), lamina.tensor(grid), mode, padding, aligned)
    assert_close(got, wanted)


BOXES = np.array(
    [
        [0, 1.3, 0.7, 9.2, 6.4],
        [1, -3.1, -2.2, 5.3, 4.1],
        [1, 2.2, 1.1, 2.6, 1.4],
        [0, 20.3, 30.7, 41.2, 50.3],
        [1, 6.3, 5.2, 2.1, 1.7],
        [0, 0.1, 0.2, 25.3, 17.9],
    ]
)
ALIGN = [
    ((2, 3), 1.0, 2, False),
    ((3, 2), 0.5, -1, True),
    ((1, 1), 1.0, 3, True),
    ((4, 5), 0.25, 0, False),
    ((7, 7), 1.0, -1, False),
]


@pytest.mark.parametrize("form", ALIGN, ids=str)
@pytest.mark.parametrize("shape", [(2, 3, 9, 13), (2, 70, 5, 4), (2, 1, 1, 1), (2, 0, 3, 3)], ids=str)
def test_roi_align(device, shape, form):
    compare(
        lambda x: ops.roi_align(x, lamina.tensor(BOXES.astype(np.float32), device=device), *form),
        [normal(*shape)],
        device,
        lambda x: oracle.roi_align(x, BOXES.astype(np.float32), *form),
        lambda gy, x: oracle.roi_align_vjp(gy, x, BOXES.astype(np.float32), *form),
    )


@pytest.mark.parametrize("form", [((2, 3), 1.0), ((3, 3), 0.5), ((1, 1), 1.0), ((7, 5), 1.0)], ids=str)
@pytest.mark.parametrize("shape", [(2, 3, 9, 13), (2, 1, 1, 1), (2, 0, 3, 3)], ids=str)
def test_roi_pool(device, shape, form):
    compare(
        lambda x: ops.roi_pool(x, lamina.tensor(BOXES.astype(np.float32), device=device), *form),
        [normal(*shape)],
        device,
        lambda x: oracle.roi_pool(x, BOXES, *form),
        lambda gy, x: oracle.roi_pool_vjp(gy, x, BOXES, *form),
    )


@pytest.mark.parametrize("op", [ops.roi_align, ops.roi_pool])
def test_regions_without_boxes_of_halves_and_of_views(device, op):
    x = lamina.tensor(normal(2, 3, 5, 4).astype(np.float16), device=device, requires_grad=True)
    none = op(x, ops.zeros((0, 5), device=device), (2, 2))
    assert none.shape == (0, 3, 2, 2)
    (gradient,) = lamina.grad(none.sum(), [x])
    np.testing.assert_array_equal(gradient.numpy(), np.zeros((2, 3, 5, 4)))
    boxes = lamina.tensor(np.ascontiguousarray(BOXES.T).astype(np.float32), device=device).mT
    reference = getattr(oracle, op.__name__)
    wide = x.detach().numpy().astype(np.float64).transpose(0, 1, 3, 2)
    got = op(ops.permute(x, (0, 1, 3, 2)), boxes, (2, 3), 0.5)
    assert got.dtype == lamina.float16
    assert_close(got, reference(wide, BOXES.astype(np.float32), (2, 3), 0.5))


@pytest.mark.parametrize("op", [ops.roi_align, ops.roi_pool])
def test_regions_that_are_no_places(device, op):
    far = [np.nan, np.inf, -np.inf, 1e30, -1e30, 1.0]
    boxes = np.array([[0, *corners] for corners in itertools.product(far, repeat=4)], np.float32)
    x = lamina.tensor(normal(1, 2, 4, 5).astype(np.float32), device=device, requires_grad=True)
    y = op(x, lamina.tensor(boxes, device=device), (2, 2))
    finite = np.isfinite(boxes).all(axis=1)
    got = y.numpy()
    assert np.isfinite(got).all()
    np.testing.assert_array_equal(got[~finite], 0.0)
    (gradient,) = lamina.grad(y.sum(), [x])
    assert np.isfinite(gradient.numpy()).all()


@pytest.mark.parametrize("op", [ops.roi_align, ops.roi_pool])
@pytest.mark.parametrize("image", [2.0, -1.0, np.nan, 1e30])
def test_a_box_of_no_image(device, op, image):
    boxes = BOXES.astype(np.float32)
    boxes[3, 0] = image
    x = lamina.tensor(normal(2, 3, 5, 7).astype(np.float32), device=device, requires_grad=True)
    y = op(x, lamina.tensor(boxes, device=device), (2, 2))
    with pytest.raises(lamina.IndexError, match=op.__name__):
        y.numpy()
    (gradient,) = lamina.grad(y.sum(), [x])
    with pytest.raises(lamina.IndexError, match=op.__name__):
        gradient.numpy()


@pytest.mark.parametrize("mode", ["avg", "max"])
@pytest.mark.parametrize("coordinates", ["half_pixel", "output_half_pixel"])
@pytest.mark.parametrize("ratio", [0, 2])
def test_roi_align_as_onnx_runtime(device, mode, coordinates, ratio):
    # It does not know regions that end before they begin.
    boxes = BOXES[[0, 1, 2, 3, 5]]
    x, corners = as_32(np.abs(normal(2, 3, 9, 13)), boxes[:, 1:])
    attributes = {
        "mode": mode,
        "coordinate_transformation_mode": coordinates,
        "sampling_ratio": ratio,
        "spatial_scale": 0.5,
        "output_height": 3,
        "output_width": 2,
    }
    inputs = [x, corners, boxes[:, 0].astype(np.int64)]
    wanted = runtime("RoiAlign", inputs, **attributes)
    form = {
        "output_size": [3, 2],
        "spatial_scale": 0.5,
        "sampling_ratio": ratio,
        "aligned": coordinates == "half_pixel",
        "mode": mode,
    }
    got = lamina._lamina.record("roi_align", [lamina.tensor(a, device=device) for a in inputs], form)
    assert_close(got, wanted)


def test_roi_pool_as_onnx_runtime(device):
    x, boxes = as_32(normal(2, 3, 9, 13), BOXES)
    wanted = runtime("MaxRoiPool", [x, boxes], pooled_shape=[3, 2], spatial_scale=0.5)
    got = ops.roi_pool(lamina.tensor(x, device=device), lamina.tensor(boxes, device=device), (3, 2), 0.5)
    np.testing.assert_array_equal(got.numpy(), wanted)


@pytest.mark.parametrize("shape", [(3, 3), (5, 4, 4), (2, 3, 1, 1), (7, 0, 0), (0, 3, 3), (2, 9, 9)], ids=str)
def test_det(device, shape):
    compare(ops.det, [normal(*shape)], device, np.linalg.det, lambda gy, x: oracle.det_vjp(gy, x))


def test_det_of_singular_matrices_of_halves_and_of_views(device):
    x = normal(4, 3, 3)
    x[0, 1] = x[0, 0] * 2
    x[1, :, 2] = 0.0
    x[2] = x[2, 0]
    x[3] = 0.0
    x = np.round(x * 8) / 8
    compare(ops.det, [x], device, np.linalg.det, lambda gy, x: oracle.det_vjp(gy, x))
    compare(lambda t: ops.det(t.mT), [normal(2, 3, 3)], device, np.linalg.det, dtype="float16")


def test_det_of_larger_matrices(device):
    x = normal(2, 70, 70) / 8
    t = lamina.tensor(x.astype(np.float32), device=device, requires_grad=True)
    y = ops.det(t)
    assert ("det" in str(lamina.explain(y).fallbacks)) == (device != "cpu")
    assert_close(y, np.linalg.det(x.astype(np.float32).astype(np.float64)), "model")


def test_gradients_in_float64():
    theta = normal(1, 2, 3)
    check_gradients(
        lambda t, x: ops.grid_sample(x, ops.affine_grid(t, (1, 2, 3, 4)), "bicubic", "reflection"),
        [theta, normal(1, 2, 4, 5)],
    )
    check_gradients(ops.det, [np.ones((1, 3, 3)), normal(2, 3, 3)][1:])


def test_errors():
    x, grid, boxes = ops.zeros((1, 2, 3, 4)), ops.zeros((1, 2, 2, 2)), ops.zeros((2, 5))
    raises(
        lamina.ArgumentError,
        "grid_sample: mode='linear' is not one of 'bilinear', 'nearest', 'bicubic'",
        lambda: ops.grid_sample(x, grid, "linear"),
    )
    raises(
        lamina.ShapeError,
        "grid_sample: grid has shape [1, 2, 2, 3], wanted (1, *, 2) with 4 axes for an input [1, 2, 3, 4]",
        lambda: ops.grid_sample(x, ops.zeros((1, 2, 2, 3))),
    )
    raises(
        lamina.ShapeError,
        "grid_sample: input has shape [1, 2, 0, 4], wanted (batch, channels) and one to 3 axes that are not "
        "empty",
        lambda: ops.grid_sample(ops.zeros((1, 2, 0, 4)), grid),
    )
    raises(
        lamina.ShapeError,
        "affine_grid: theta has shape [1, 2, 2], wanted [1, 2, 3] for size=[1, 1, 2, 2]",
        lambda: ops.affine_grid(ops.zeros((1, 2, 2)), (1, 1, 2, 2)),
    )
    raises(
        lamina.ShapeError,
        "roi_align: boxes have shape [2, 4], wanted (boxes, 5): an image's number and x1, y1, x2, y2",
        lambda: ops.roi_align(x, ops.zeros((2, 4)), 2),
    )
    raises(
        lamina.ArgumentError,
        "roi_pool: output_size=[0, 2], wanted numbers from 1 to 16384",
        lambda: ops.roi_pool(x, boxes, (0, 2)),
    )
    raises(
        lamina.ArgumentError,
        "roi_align: sampling_ratio=1000000000, wanted at most 1024; 0 or less: as many samples as a bin has "
        "elements",
        lambda: ops.roi_align(x, boxes, 2, 1.0, 1000000000),
    )
    raises(
        lamina.ShapeError,
        "det: x has shape [2, 3], wanted square matrices (*, n, n)",
        lambda: ops.det(ops.zeros((2, 3))),
    )
