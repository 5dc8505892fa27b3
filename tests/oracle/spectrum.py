"""Fourier transforms by numpy.fft; complex numbers are a last axis of two."""

from __future__ import annotations

import numpy as np


def pairs(z):
    return np.stack([z.real, z.imag], -1)


def joined(x):
    return x[..., 0] + 1j * x[..., 1]


def fft(x, n=None, dim=-1, norm="backward"):
    return pairs(np.fft.fft(joined(x), n, dim, norm))


def ifft(x, n=None, dim=-1, norm="backward"):
    return pairs(np.fft.ifft(joined(x), n, dim, norm))


def rfft(x, n=None, dim=-1, norm="backward"):
    return pairs(np.fft.rfft(x, n, dim, norm))


def irfft(x, n=None, dim=-1, norm="backward"):
    return np.fft.irfft(joined(x), n, dim, norm)


def stft(x, n_fft, hop, window, center=True, pad_mode="reflect", normalized=False, onesided=True):
    """Frame by frame."""
    if center:
        sides = [(0, 0)] * (x.ndim - 1) + [(n_fft // 2, n_fft // 2)]
        x = np.pad(x, sides, mode=pad_mode)
    before = (n_fft - len(window)) // 2
    window = np.pad(window, (before, n_fft - len(window) - before))
    norm = "ortho" if normalized else "backward"
    frames = []
    for start in range(0, x.shape[-1] - n_fft + 1, hop):
        spectrum = np.fft.fft(x[..., start : start + n_fft] * window, norm=norm)
        frames.append(spectrum[..., : n_fft // 2 + 1] if onesided else spectrum)
    return pairs(np.stack(frames, -1))


def linear_vjp(op, gy, x):
    """The gradient of a linear map: what it makes of each unit vector, times gy."""
    gx = np.zeros(x.shape)
    for at in np.ndindex(x.shape):
        unit = np.zeros(x.shape)
        unit[at] = 1.0
        gx[at] = (op(unit) * gy).sum()
    return gx


def mel_weights(bands, points, rate, low, high):
    """Triangles between whole bins, as ONNX says."""

    def mel(hertz):
        return 2595 * np.log10(1 + hertz / 700)

    step = (mel(high) - mel(low)) / (bands + 2)
    edges = [700 * (10 ** ((mel(low) + i * step) / 2595) - 1) for i in range(bands + 2)]
    edges = [int((points + 1) * hertz // rate) for hertz in edges]
    weights = np.zeros((points // 2 + 1, bands))
    for band in range(bands):
        left, center, right = edges[band : band + 3]
        weights[center, band] = 1.0
        for j in range(left, center):
            weights[j, band] = (j - left) / (center - left)
        for j in range(center + 1, right):
            weights[j, band] = (right - j) / (right - center)
    return weights
