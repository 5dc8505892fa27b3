"""Fourier transforms of every kind of length."""

import numpy as np
import onnx
import onnxruntime
import pytest
import scipy.signal

import lamina
from helpers import compare, leaf, normal, raises
from lamina import ops
from lamina.testing import assert_close
from oracle import spectrum as oracle

# Made of 2, 3 and 5; with a larger factor; odd, even, prime; one point.
LENGTHS = [1, 2, 3, 7, 8, 15, 16, 22, 31, 32, 33, 45, 60, 97]


def against(name, shape, device, dtype="float32", **keywords):
    wanted = getattr(oracle, name)
    compare(
        lambda x: getattr(ops, name)(x, **keywords),
        [normal(*shape)],
        device,
        lambda x: wanted(x, **keywords),
        lambda gy, x: [oracle.linear_vjp(lambda e: wanted(e, **keywords), gy, x)],
        dtype=dtype,
    )


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft"])
def test_lengths(device, name, length):
    bins = length // 2 + 1
    shape = {"rfft": (3, length), "irfft": (3, bins, 2)}.get(name, (3, length, 2))
    against(name, shape, device, **({"n": length} if name == "irfft" else {}))


@pytest.mark.parametrize("length", [6, 7, 20, 33])
@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft"])
def test_float64(name, length):
    shape = (2, length) if name == "rfft" else (2, length, 2)
    against(name, shape, "cpu", dtype="float64")
    against(name, shape, "cpu", dtype="float64", dim=0, n=5, norm="ortho")


@pytest.mark.parametrize("norm", ["backward", "ortho", "forward"])
@pytest.mark.parametrize("n", [None, 4, 9])
@pytest.mark.parametrize("dim", [0, 1, -2])
def test_axes_cuts_and_norms(device, dim, n, norm):
    for name in ("fft", "ifft", "irfft"):
        against(name, (5, 6, 3, 2), device, dim=dim, n=n, norm=norm)
    against("rfft", (5, 6, 3), device, dim=dim, n=n, norm=norm)


@pytest.mark.parametrize("length", [1024, 1000, 1021, 2 * 1009])
def test_long_lines(device, length):
    for name, shape in (("fft", (2, length, 2)), ("rfft", (2, length)), ("irfft", (2, length, 2))):
        x = normal(*shape).astype(np.float32)
        got = getattr(ops, name)(lamina.tensor(x, device=device))
        assert_close(got, getattr(oracle, name)(x.astype(np.float64)))


def test_many_lines(device):
    x = normal(37, 5, 12).astype(np.float32)
    got = ops.rfft(lamina.tensor(x, device=device), dim=0)
    assert_close(got, oracle.rfft(x.astype(np.float64), dim=0))


def test_of_a_strided_view(device):
    x = normal(12, 5, 2).astype(np.float32)
    got = ops.fft(lamina.tensor(x, device=device)[::2].transpose(0, 1))
    assert_close(got, oracle.fft(x.astype(np.float64)[::2].swapaxes(0, 1)))


def test_a_line_does_not_reach_another(device):
    x = normal(3, 14).astype(np.float32)
    x[1, 4] = np.nan
    got = ops.rfft(lamina.tensor(x, device=device)).numpy()
    assert np.isnan(got[1]).any()
    assert np.isfinite(got[[0, 2]]).all()


def test_there_and_back(device):
    x = normal(2, 30).astype(np.float32)
    assert_close(ops.irfft(ops.rfft(lamina.tensor(x, device=device))), x)
    assert_close(ops.irfft(ops.rfft(lamina.tensor(x[:, :29], device=device)), 29), x[:, :29])
    z = lamina.tensor(normal(2, 13, 2).astype(np.float32), device=device)
    assert_close(ops.ifft(ops.fft(z)), z.numpy())


def test_halves_are_computed_in_float32(device):
    x = normal(3, 20).astype(np.float16)
    got = ops.rfft(lamina.tensor(x, device=device))
    assert got.dtype == lamina.float16
    assert_close(got, oracle.rfft(x.astype(np.float64)))


FRAMES = [
    {"n_fft": 8},
    {"n_fft": 8, "hop_length": 3, "center": False},
    {"n_fft": 10, "hop_length": 4, "win_length": 7, "normalized": True},
    {"n_fft": 7, "hop_length": 2, "win_length": 5, "onesided": False},
    {"n_fft": 8, "hop_length": 2, "pad_mode": "constant"},
]


@pytest.mark.parametrize("form", FRAMES, ids=str)
def test_stft(device, form):
    n, length = form["n_fft"], form.get("win_length", form["n_fft"])
    window = np.hanning(length + 2)[1:-1]
    rest = {k: v for k, v in form.items() if k in ("center", "pad_mode", "normalized", "onesided")}

    def wanted(x, w):
        return oracle.stft(x, n, form.get("hop_length", n // 4), w, **rest)

    compare(
        lambda x, w: ops.stft(x, window=w, **form),
        [normal(2, 29), window],
        device,
        wanted,
        lambda gy, x, w: [
            oracle.linear_vjp(lambda e: wanted(e, w), gy, x),
            oracle.linear_vjp(lambda e: wanted(x, e), gy, w),
        ],
    )


@pytest.mark.parametrize("form", FRAMES, ids=str)
def test_istft_is_the_inverse(device, form):
    length = form.get("win_length", form["n_fft"])
    window = lamina.tensor(np.hanning(length + 2)[1:-1].astype(np.float32), device=device)
    x = lamina.tensor(normal(2, 29).astype(np.float32), device=device)
    spectra = ops.stft(x, window=window, **form)
    rest = {k: v for k, v in form.items() if k != "pad_mode"}
    y = ops.istft(spectra, window=window, **rest)
    # Whole frames only: the last points may be in none.
    reached = y.shape[1]
    assert reached > 29 - form["n_fft"]
    assert_close(y, x.numpy()[:, :reached])
    assert_close(ops.istft(spectra, window=window, length=20, **rest), x.numpy()[:, :20])


def test_stft_is_scipys():
    x = normal(100)
    window = scipy.signal.get_window("hann", 16)
    _, _, wanted = scipy.signal.stft(
        x, window=window, nperseg=16, noverlap=12, boundary=None, padded=False, scaling="spectrum"
    )
    got = ops.stft(lamina.tensor(x), 16, 4, window=lamina.tensor(window), center=False)
    assert_close(got / window.sum(), oracle.pairs(wanted))


@pytest.mark.parametrize("name", ["hann", "hamming", "blackman"])
@pytest.mark.parametrize("size", [1, 2, 7, 16])
def test_windows_are_scipys(device, name, size):
    for periodic in (True, False):
        wanted = scipy.signal.get_window(name, size, fftbins=periodic)
        got = getattr(ops, f"{name}_window")(size, periodic, device=device)
        assert got.device == device
        assert_close(got, wanted)


def test_mel_weights(device):
    for form in ((8, 16, 8192, 0.0, 4096.0), (20, 512, 16000, 20.0, 7600.0), (3, 9, 8000, 300.0, 300.0)):
        got = ops.mel_weight_matrix(*form, device=device)
        assert_close(got, oracle.mel_weights(*form))


def test_gradients_of_a_real_spectrum_flow_to_what_was_read():
    x = leaf(normal(6), "cpu", "float64")
    (gradient,) = lamina.grad([ops.rfft(x, 4)], [x], [lamina.tensor(np.ones((3, 2)))])
    assert gradient.numpy()[4:].tolist() == [0.0, 0.0]


def test_errors():
    x = ops.zeros((3, 4))
    raises(
        lamina.ShapeError,
        "fft: x has shape [3, 4]; its last axis must be (real, imaginary), behind at least one other",
        lambda: ops.fft(x),
    )
    raises(
        lamina.ArgumentError,
        "rfft: norm='both' is not 'backward', 'ortho' or 'forward'",
        lambda: ops.rfft(x, norm="both"),
    )
    raises(
        lamina.ArgumentError,
        "dft: a transform of 0 points (axis 1 of x of shape [3, 4, 1]); wanted 1 or more",
        lambda: ops.rfft(x, 0),
    )
    raises(
        lamina.DTypeError,
        "rfft: x has dtype int64, wanted floats; cast it first",
        lambda: ops.rfft(lamina.tensor([1, 2])),
    )
    raises(
        lamina.ShapeError,
        "stft: a frame of n_fft=9 points does not fit in a signal of 4",
        lambda: ops.stft(x, 9, center=False),
    )
    raises(
        lamina.ShapeError,
        "istft: x has shape [3, 4, 2]; n_fft=8 has 5 bins, and there must be a frame",
        lambda: ops.istft(ops.zeros((3, 4, 2)), 8),
    )
    raises(
        lamina.ArgumentError,
        "mel_weight_matrix: lower_edge_hertz=9, upper_edge_hertz=5, sample_rate=8; wanted 0 <= lower <= "
        "upper <= sample_rate / 2",
        lambda: ops.mel_weight_matrix(2, 4, 8, 9.0, 5.0),
    )


def test_more_points_than_there_is_memory_for():
    with pytest.raises(lamina.OutOfMemoryError, match="dft: "):
        ops.rfft(ops.zeros((4,)), 2**60)


@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft"])
def test_exported(name, tmp_path):
    shape = (3, 12) if name == "rfft" else (3, 12, 2)
    x = normal(*shape).astype(np.float32)
    path = tmp_path / "spectrum.onnx"
    function = getattr(ops, name)
    lamina.onnx.save(lambda x: function(x), [lamina.tensor(x)], path)
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(path.read_bytes())
    (got,) = session.run(None, {session.get_inputs()[0].name: x})
    assert_close(got, function(lamina.tensor(x)).numpy())
