"""Fourier transforms; complex numbers are a last axis of two, (real, imaginary).

`dim` counts the axes of the signal, without that pair: -1 is the last axis of
the signal in every function here, as it is where numbers can be complex.
"""

from __future__ import annotations

from lamina._lamina import DType, Tensor, dtypes
from lamina.ops._record import TensorLike, one

_FLOAT32 = dtypes()["float32"]


def fft(x: TensorLike, n: int | None = None, dim: int = -1, norm: str = "backward") -> Tensor:
    """Discrete Fourier transform of complex numbers.

    y[k] = sum over j of x[j] exp(-2 pi i j k / n), in O(n log n) for every n:
    Stockham's passes (Cochran et al. 1967) where n is made of 2, 3 and 5,
    a convolution (Bluestein 1970) elsewhere.

    Args:
        x: (*, 2) of floats, float64 on the CPU alone.
        n: Points; the axis is cut or filled up with zeros. Its length if None.
        dim: The axis.
        norm: "backward" divides `ifft` by n, "forward" this, "ortho" both by sqrt(n).

    Returns:
        (*, 2), the axis of n.

    Raises:
        ShapeError: x has no last axis of two.
        ArgumentError: n is 0, or `norm` is none of the three.

    Example:
        >>> ops.fft(lamina.tensor([[1.0, 0.0], [2.0, 0.0]])).tolist()
        [[3.0, 0.0], [-1.0, 0.0]]
    """
    return one("fft", x, n=n, dim=dim, norm=norm)


def ifft(x: TensorLike, n: int | None = None, dim: int = -1, norm: str = "backward") -> Tensor:
    """The inverse of `fft`: + in the exponent, divided by n.

    Args:
        x: (*, 2) of floats.
        n: Points; the axis is cut or filled up with zeros. Its length if None.
        dim: The axis.
        norm: As for `fft`.

    Returns:
        (*, 2), the axis of n.

    Example:
        >>> ops.ifft(lamina.tensor([[3.0, 0.0], [-1.0, 0.0]])).tolist()
        [[1.0, 0.0], [2.0, 0.0]]
    """
    return one("ifft", x, n=n, dim=dim, norm=norm)


def rfft(x: TensorLike, n: int | None = None, dim: int = -1, norm: str = "backward") -> Tensor:
    """Discrete Fourier transform of real numbers: the first half of the spectrum.

    Point n - k would be the conjugate of point k.

    Args:
        x: (*) of floats.
        n: Points; the axis is cut or filled up with zeros. Its length if None.
        dim: The axis.
        norm: As for `fft`.

    Returns:
        (*, 2), the axis of n // 2 + 1.

    Raises:
        ArgumentError: n is 0, or `norm` is none of the three.

    Example:
        >>> ops.rfft(lamina.tensor([1.0, 2.0])).tolist()
        [[3.0, 0.0], [-1.0, 0.0]]
    """
    return one("rfft", x, n=n, dim=dim, norm=norm)


def irfft(x: TensorLike, n: int | None = None, dim: int = -1, norm: str = "backward") -> Tensor:
    """The inverse of `rfft`: n real numbers of the first half of their spectrum.

    What would have to be real in such a spectrum, the imaginary part of its
    first point and of its middle one, is not looked at.

    Args:
        x: (*, 2) of floats.
        n: Points of the result; of the axis n // 2 + 1 are read, missing ones are 0.
            2 (length - 1) if None.
        dim: The axis.
        norm: As for `fft`.

    Returns:
        (*), the axis of n.

    Example:
        >>> ops.irfft(lamina.tensor([[3.0, 0.0], [-1.0, 0.0]])).tolist()
        [1.0, 2.0]
    """
    return one("irfft", x, n=n, dim=dim, norm=norm)


def stft(
    x: TensorLike,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: TensorLike | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool = True,
) -> Tensor:
    """Short-time Fourier transform: the spectra of overlapping frames.

    y[.., k, f] = sum over j of x[.., f * hop_length + j] window[j] exp(-2 pi i j k / n_fft).

    Args:
        x: (*, time) of floats.
        n_fft: Points of a frame.
        hop_length: Between the starts of frames; n_fft // 4 if None.
        win_length: Of the window, which has zeros on both sides up to n_fft; n_fft if None.
        window: (win_length,); ones if None.
        center: Frame f is centred at f * hop_length: n_fft // 2 points stand before and after x.
        pad_mode: What these are: "reflect", "edge" or "constant" (zeros).
        normalized: Divides by sqrt(n_fft).
        onesided: Gives the first half of each spectrum.

    Returns:
        (*, n_fft // 2 + 1, frames, 2), or (*, n_fft, frames, 2).

    Raises:
        ShapeError: A frame is longer than the signal, or the window has another length.

    Example:
        >>> ops.stft(lamina.tensor([1.0, 2.0, 3.0, 4.0]), 2, 2, center=False).tolist()
        [[[3.0, 0.0], [7.0, 0.0]], [[-1.0, 0.0], [-1.0, 0.0]]]
    """
    inputs = (x,) if window is None else (x, window)
    return one(
        "stft",
        *inputs,
        n_fft=n_fft,
        hop_length=hop_length,
        win_length=win_length,
        center=center,
        pad_mode=pad_mode,
        normalized=normalized,
        onesided=onesided,
    )


def istft(
    x: TensorLike,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: TensorLike | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool = True,
    length: int | None = None,
) -> Tensor:
    """The inverse of `stft`, by overlap and add (Griffin and Lim 1984).

    Frames are transformed back, multiplied by the window and summed where they
    overlap; the sum is divided by that of the windows' squares, and is 0 where
    these are below 1e-11.

    Args:
        x: (*, n_fft // 2 + 1, frames, 2) of floats, or (*, n_fft, frames, 2).
        n_fft: As for `stft`, like all that follow.
        hop_length: Between the starts of frames.
        win_length: Of the window.
        window: (win_length,); ones if None.
        center: Cuts off n_fft // 2 points in front and behind.
        normalized: Multiplies by sqrt(n_fft).
        onesided: x is the first half of each spectrum.
        length: Of the result, cut or filled up with zeros; what the frames reach if None.

    Returns:
        (*, length).

    Raises:
        ShapeError: x has another number of bins than n_fft says.

    Example:
        >>> spectra = ops.stft(lamina.tensor([1.0, 2.0, 3.0, 4.0]), 2, 2, center=False)
        >>> ops.istft(spectra, 2, 2, center=False).tolist()
        [1.0, 2.0, 3.0, 4.0]
    """
    inputs = (x,) if window is None else (x, window)
    return one(
        "istft",
        *inputs,
        n_fft=n_fft,
        hop_length=hop_length,
        win_length=win_length,
        center=center,
        normalized=normalized,
        onesided=onesided,
        length=length,
    )


def hann_window(
    size: int, periodic: bool = True, dtype: DType | None = None, device: str | None = None
) -> Tensor:
    """0.5 - 0.5 cos t, t once around the circle.

    Args:
        size: How many numbers.
        periodic: The point after the last would be the first again, as spectra want it; else the
            last is as the first, as filters want it.
        dtype: float32 if None.
        device: The default device if None.

    Returns:
        (size,).

    Example:
        >>> ops.hann_window(4).tolist()
        [0.0, 0.5, 1.0, 0.5]
    """
    return one("hann_window", size=size, periodic=periodic, dtype=dtype or _FLOAT32, device=device)


def hamming_window(
    size: int, periodic: bool = True, dtype: DType | None = None, device: str | None = None
) -> Tensor:
    """0.54 - 0.46 cos t, t once around the circle; see `hann_window`.

    Example:
        >>> ops.hamming_window(2, dtype=lamina.float64).numpy().round(9).tolist()
        [0.08, 1.0]
    """
    return one("hamming_window", size=size, periodic=periodic, dtype=dtype or _FLOAT32, device=device)


def blackman_window(
    size: int, periodic: bool = True, dtype: DType | None = None, device: str | None = None
) -> Tensor:
    """0.42 - 0.5 cos t + 0.08 cos 2t, t once around the circle; see `hann_window`.

    Example:
        >>> ops.blackman_window(4, dtype=lamina.float64).numpy().round(9).tolist()[1:]
        [0.34, 1.0, 0.34]
    """
    return one("blackman_window", size=size, periodic=periodic, dtype=dtype or _FLOAT32, device=device)


def mel_weight_matrix(
    num_mel_bins: int,
    dft_length: int,
    sample_rate: int,
    lower_edge_hertz: float,
    upper_edge_hertz: float,
    dtype: DType | None = None,
    device: str | None = None,
) -> Tensor:
    """Weights that sum the bins of a spectrum into bands of equal width on the mel scale.

    `spectrogram @ weights`, with mel = 2595 log10(1 + hertz / 700). Bands are
    triangles between whole bins, as ONNX's MelWeightMatrix has them.

    Args:
        num_mel_bins: Bands.
        dft_length: Points of the transform.
        sample_rate: Samples a second.
        lower_edge_hertz: Where the lowest band begins.
        upper_edge_hertz: Where the highest may end.
        dtype: float32 if None.
        device: The default device if None.

    Returns:
        (dft_length // 2 + 1, num_mel_bins).

    Raises:
        ArgumentError: The edges are not in order between 0 and half the sample rate.

    Example:
        >>> ops.mel_weight_matrix(2, 8, 8000, 0.0, 4000.0).tolist()
        [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    """
    return one(
        "mel_weight_matrix",
        num_mel_bins=num_mel_bins,
        dft_length=dft_length,
        sample_rate=sample_rate,
        lower_edge_hertz=lower_edge_hertz,
        upper_edge_hertz=upper_edge_hertz,
        dtype=dtype or _FLOAT32,
        device=device,
    )
