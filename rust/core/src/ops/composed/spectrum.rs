//! Fourier transforms by their names, short ones along a signal, and the
//! matrix that sums a spectrum's bins into mel bands.

use super::conv::bordered;
use super::make::{device_of, numbers};
use crate::layout::resolve_axis;
use crate::node::record_one;
use crate::op::OpRef;
use crate::ops::dft::{Dft, dft};
use crate::ops::elementwise::{self as e, cast};
use crate::ops::overlap_add::{OverlapAdd, overlap_add};
use crate::ops::pad::{Pad, pad};
use crate::ops::views::{self, Frame};
use crate::{DType, Device, Error, Result, Tensor, params};

params! {
    /// `n` points (those of the axis if None) along `dim`, counted without the
    /// axis of real and imaginary parts; `norm` as NumPy has it.
    pub struct Fft { n: Option<usize> = None, dim: i64 = -1, norm: String = "backward".to_owned() }
}

/// What the sums of n points are multiplied by.
fn scale(op: &str, norm: &str, n: usize, inverse: bool) -> Result<f64> {
    match (norm, inverse) {
        ("backward", false) | ("forward", true) => Ok(1.0),
        ("backward", true) | ("forward", false) => Ok(1.0 / n as f64),
        ("ortho", _) => Ok(1.0 / (n as f64).sqrt()),
        _ => Err(Error::argument(format!(
            "{op}: norm='{norm}' is not 'backward', 'ortho' or 'forward'"
        ))),
    }
}

/// The dtype that transforms are computed in.
fn computed(op: &str, x: &Tensor) -> Result<DType> {
    match x.dtype() {
        DType::F64 => Ok(DType::F64),
        d if d.is_float() => Ok(DType::F32),
        d => Err(Error::dtype(format!(
            "{op}: x has dtype {d}, wanted floats; cast it first"
        ))),
    }
}

/// Complex numbers as pairs, and the axis of the signal.
fn pairs(op: &str, x: &Tensor, dim: i64) -> Result<usize> {
    if x.rank() < 2 || x.shape().last() != Some(&2) {
        return Err(Error::shape(format!(
            "{op}: x has shape {:?}; its last axis must be (real, imaginary), behind at least one other",
            x.shape()
        )));
    }
    resolve_axis(op, dim, x.rank() - 1)
}

/// As [`dft`], computed in float32 where x is narrower.
pub fn transformed(op: &str, x: &Tensor, form: Dft) -> Result<Tensor> {
    let y = dft(&cast(x, computed(op, x)?)?, form)?;
    cast(&y, x.dtype())
}

/// `fft` and `ifft`, from pairs to pairs.
pub fn fft(op: &str, x: &Tensor, form: &Fft, inverse: bool) -> Result<Tensor> {
    let axis = pairs(op, x, form.dim)?;
    let n = form.n.unwrap_or(x.shape()[axis]);
    let form = Dft {
        dim: axis as i64,
        length: form.n,
        output: None,
        inverse,
        real: false,
        scale: scale(op, &form.norm, n, inverse)?,
    };
    transformed(op, x, form)
}

/// Real numbers to the first half of their spectrum.
pub fn rfft(op: &str, x: &Tensor, form: &Fft) -> Result<Tensor> {
    let axis = resolve_axis(op, form.dim, x.rank())?;
    let n = form.n.unwrap_or(x.shape()[axis]);
    let form = Dft {
        dim: axis as i64,
        length: form.n,
        output: Some(n / 2 + 1).filter(|_| n > 0),
        inverse: false,
        real: false,
        scale: scale(op, &form.norm, n, false)?,
    };
    transformed(op, &views::unsqueeze(x, &[-1])?, form)
}

/// The first half of a spectrum to the n real numbers whose it is.
pub fn irfft(op: &str, x: &Tensor, form: &Fft) -> Result<Tensor> {
    let axis = pairs(op, x, form.dim)?;
    let bins = x.shape()[axis];
    let n = form.n.unwrap_or(bins.saturating_sub(1).saturating_mul(2));
    let scale = scale(op, &form.norm, n, true)?;
    let y = inverse_of_half(op, x, axis, n, scale)?;
    views::reshape_to(&y, &y.shape()[..y.rank() - 1])
}

/// From bins on `axis` to n real points, scaled; the last axis becomes 1.
pub fn inverse_of_half(op: &str, x: &Tensor, axis: usize, n: usize, scale: f64) -> Result<Tensor> {
    if n == 0 {
        return Err(Error::argument(format!(
            "{op}: a transform of 0 points (axis {axis} of x of shape {:?}); wanted 1 or more",
            x.shape()
        )));
    }
    let wide = cast(x, computed(op, x)?)?;
    let bins = x.shape()[axis].min(n / 2 + 1);
    let half = if bins < x.shape()[axis] {
        views::narrow(&wide, axis, 0, bins)?
    } else {
        wide
    };
    // The bins between the first and the middle one stand for two.
    let weight = |k: usize| if k == 0 || 2 * k == n { 1.0 } else { 2.0 };
    let weights: Vec<f64> = (0..bins).map(weight).collect();
    let mut shape = vec![1; x.rank()];
    shape[axis] = bins;
    let weights = numbers(half.dtype(), &shape, &weights, x.device())?;
    let form = Dft {
        dim: axis as i64,
        length: Some(n),
        output: None,
        inverse: true,
        real: true,
        scale,
    };
    cast(&dft(&e::mul(&half, &weights)?, form)?, x.dtype())
}

params! {
    /// As PyTorch's stft; a second input is the window.
    pub struct Stft {
        n_fft: usize,
        hop_length: Option<usize> = None,
        win_length: Option<usize> = None,
        center: bool = true,
        pad_mode: String = "reflect".to_owned(),
        normalized: bool = false,
        onesided: bool = true,
    }
}

params! {
    /// As PyTorch's istft; a second input is the window.
    pub struct Istft {
        n_fft: usize,
        hop_length: Option<usize> = None,
        win_length: Option<usize> = None,
        center: bool = true,
        normalized: bool = false,
        onesided: bool = true,
        length: Option<usize> = None,
    }
}

/// A window of n_fft numbers: the one given (ones if None) with zeros around it.
fn window_of(
    op: &str,
    n_fft: usize,
    win_length: Option<usize>,
    window: Option<&Tensor>,
    like: &Tensor,
) -> Result<Option<Tensor>> {
    let length = win_length.unwrap_or(n_fft);
    if length == 0 || length > n_fft {
        return Err(Error::argument(format!(
            "{op}: win_length={length} is not between 1 and n_fft={n_fft}"
        )));
    }
    let window = match window {
        Some(w) if w.shape() == [length] => cast(w, like.dtype())?,
        Some(w) => {
            return Err(Error::shape(format!(
                "{op}: window has shape {:?}, wanted [{length}]",
                w.shape()
            )));
        }
        None if length == n_fft => return Ok(None),
        None => Tensor::full(&[length], 1.0, like.dtype(), like.device())?,
    };
    let before = (n_fft - length) / 2;
    let after = n_fft - length - before;
    bordered(&window, 0, before as i64, after as i64).map(Some)
}

fn hop(op: &str, hop_length: Option<usize>, n_fft: usize) -> Result<usize> {
    match hop_length.unwrap_or(n_fft / 4) {
        0 => Err(Error::argument(format!(
            "{op}: a step of 0 points (hop_length={hop_length:?}, n_fft={n_fft}); wanted 1 or more"
        ))),
        hop => Ok(hop),
    }
}

/// (.., time) to (.., bins, frames, 2).
pub fn stft(op: &str, x: &Tensor, window: Option<&Tensor>, form: &Stft) -> Result<Tensor> {
    let dtype = x.dtype();
    let x = cast(x, computed(op, x)?)?;
    let Some(&time) = x.shape().last() else {
        return Err(Error::shape(format!(
            "{op}: x has no axes, wanted (.., time)"
        )));
    };
    let n = form.n_fft;
    let step = hop(op, form.hop_length, n)?;
    let window = window_of(op, n, form.win_length, window, &x)?;
    let mut signal = x.clone();
    if form.center {
        let mut pads = vec![0; 2 * x.rank()];
        (pads[x.rank() - 1], pads[2 * x.rank() - 1]) = ((n / 2) as i64, (n / 2) as i64);
        let border = Pad {
            pads,
            mode: form.pad_mode.clone(),
            value: 0.0,
        };
        signal = pad(&x, &border).map_err(|e| e.within(op))?;
    }
    let length = signal.shape().last().copied().unwrap_or(time);
    if n == 0 || n > length {
        return Err(Error::shape(format!(
            "{op}: a frame of n_fft={n} points does not fit in a signal of {length}"
        )));
    }
    let mut frames = framed(&signal, x.rank() - 1, n, step)?;
    if let Some(window) = window {
        frames = e::mul(&frames, &window)?;
    }
    let norm = if form.normalized { "ortho" } else { "backward" };
    let form = Dft {
        dim: -2,
        length: Some(n),
        output: form.onesided.then_some(n / 2 + 1),
        inverse: false,
        real: false,
        scale: scale(op, norm, n, false)?,
    };
    let y = dft(&views::unsqueeze(&frames, &[-1])?, form)?;
    // (.., frames, bins, 2) to (.., bins, frames, 2)
    cast(&exchanged(&y)?, dtype)
}

/// Overlapping frames of `size` along an axis, their elements behind it.
pub fn framed(x: &Tensor, axis: usize, size: usize, step: usize) -> Result<Tensor> {
    let frame = Frame {
        dim: axis as i64,
        size,
        step,
        dilation: 1,
    };
    record_one(&OpRef::new(frame), std::slice::from_ref(x))
}

/// The two axes before the last exchanged.
fn exchanged(x: &Tensor) -> Result<Tensor> {
    let mut order: Vec<usize> = (0..x.rank()).collect();
    order.swap(x.rank() - 3, x.rank() - 2);
    views::permute(x, &order)
}

/// (.., bins, frames, 2) to (.., time): frames times the window, summed where
/// they overlap, over the sum of the windows' squares.
pub fn istft(op: &str, x: &Tensor, window: Option<&Tensor>, form: &Istft) -> Result<Tensor> {
    let dtype = x.dtype();
    let x = cast(x, computed(op, x)?)?;
    let n = form.n_fft;
    let bins = if form.onesided { n / 2 + 1 } else { n };
    let &[.., got, frames, 2] = x.shape() else {
        return Err(Error::shape(format!(
            "{op}: x has shape {:?}, wanted (.., bins, frames, 2)",
            x.shape()
        )));
    };
    if n == 0 || got != bins || frames == 0 {
        return Err(Error::shape(format!(
            "{op}: x has shape {:?}; n_fft={n} has {bins} bins, and there must be a frame",
            x.shape()
        )));
    }
    let step = hop(op, form.hop_length, n)?;
    let window = window_of(op, n, form.win_length, window, &x)?;
    let norm = if form.normalized { "ortho" } else { "backward" };
    let factor = scale(op, norm, n, true)?;
    let (spectra, axis) = (exchanged(&x)?, x.rank() - 2);
    let signal = if form.onesided {
        inverse_of_half(op, &spectra, axis, n, factor)?
    } else {
        let inverse = Dft {
            dim: -2,
            length: Some(n),
            output: None,
            inverse: true,
            real: true,
            scale: factor,
        };
        dft(&spectra, inverse)?
    };
    let mut signal = views::reshape_to(&signal, &signal.shape()[..=axis])?;
    let squares = match window {
        Some(window) => {
            signal = e::mul(&signal, &window)?;
            e::mul(&window, &window)?
        }
        None => Tensor::full(&[n], 1.0, x.dtype(), x.device())?,
    };
    let sums = |x: &Tensor, axis: usize| {
        let form = OverlapAdd {
            dim: axis as i64,
            length: None,
            step,
            dilation: 1,
        };
        overlap_add(x, form)
    };
    let total = sums(&signal, axis - 1)?;
    let weight = sums(&views::expand(&squares, &[frames, n])?, 0)?;
    // Where no window reaches there is nothing: 0 rather than 0 / 0.
    let reached = e::compare(
        lamina_kernels::Func::Gt,
        &weight,
        &e::number_like(&weight, 1e-11),
    )?;
    let one = e::number_like(&weight, 1.0);
    let mut y = e::div(&total, &e::select(&reached, &weight, &one)?)?;
    let before = if form.center { n / 2 } else { 0 };
    let whole = y.shape()[axis - 1];
    let wanted = form.length.unwrap_or(whole.saturating_sub(2 * before));
    let after = (before as i64)
        .saturating_add(wanted as i64)
        .saturating_sub(whole as i64);
    y = bordered(&y, axis - 1, -(before as i64), after).map_err(|e| e.within(op))?;
    cast(&y, dtype)
}

params! {
    /// `size` numbers of a window function.
    pub struct Window {
        size: usize,
        periodic: bool = true,
        dtype: DType = DType::F32,
        device: Option<String> = None,
    }
}

/// a - b cos t + c cos 2t, t once around the circle; with `periodic` the last
/// point is the one before the first again, else it is the first.
pub fn window(form: &Window, [a, b, c]: [f64; 3]) -> Result<Tensor> {
    crate::memory::check_budget(form.size.saturating_mul(16))?;
    let around = if form.periodic {
        form.size
    } else {
        form.size.saturating_sub(1)
    };
    let around = around.max(1) as f64;
    let value = |i: usize| {
        let t = std::f64::consts::TAU * i as f64 / around;
        a - b * t.cos() + c * (2.0 * t).cos()
    };
    // A window of one point is that point.
    let values: Vec<f64> = match form.size {
        1 => vec![1.0],
        n => (0..n).map(value).collect(),
    };
    let device = device_of(form.device.as_deref())?;
    numbers(form.dtype, &[form.size], &values, device)
}

params! {
    /// Triangles over the bins of a spectrum of `dft_length` points, as wide on
    /// the mel scale one as the other.
    pub struct Mel {
        num_mel_bins: usize,
        dft_length: usize,
        sample_rate: usize,
        lower_edge_hertz: f64,
        upper_edge_hertz: f64,
        dtype: DType = DType::F32,
        device: Option<String> = None,
    }
}

/// (dft_length / 2 + 1, num_mel_bins).
pub fn mel_weight_matrix(op: &str, form: &Mel) -> Result<Tensor> {
    let device = device_of(form.device.as_deref())?;
    mel_weights(op, form, device)
}

pub fn mel_weights(op: &str, form: &Mel, device: Device) -> Result<Tensor> {
    let (bins, bands) = (form.dft_length / 2 + 1, form.num_mel_bins);
    let (low, high, rate) = (
        form.lower_edge_hertz,
        form.upper_edge_hertz,
        form.sample_rate,
    );
    if rate == 0 || !(0.0..=high).contains(&low) || 2.0 * high > rate as f64 {
        return Err(Error::argument(format!(
            "{op}: lower_edge_hertz={low}, upper_edge_hertz={high}, sample_rate={rate}; wanted 0 <= lower <= upper <= sample_rate / 2"
        )));
    }
    let size = bins.saturating_mul(bands);
    crate::memory::check_budget(size.saturating_mul(16)).map_err(|e| e.within(op))?;
    let edges = edges(form);
    let mut weights = vec![0.0; size];
    for (band, edge) in edges.windows(3).enumerate() {
        let [left, center, right] = [edge[0], edge[1], edge[2]].map(|e: usize| e.min(bins));
        let rise = (left..=center).map(|j| {
            let width = center - left;
            (
                j,
                if width == 0 {
                    1.0
                } else {
                    (j - left) as f64 / width as f64
                },
            )
        });
        let fall = (center..right).map(|j| (j, (right - j) as f64 / (right - center) as f64));
        for (bin, weight) in rise.chain(fall).filter(|(bin, _)| *bin < bins) {
            weights[bin * bands + band] = weight;
        }
    }
    numbers(form.dtype, &[bins, bands], &weights, device)
}

/// The bins where bands begin, peak and end (ONNX's: a step is the mel range
/// over two more than there are bands).
fn edges(form: &Mel) -> Vec<usize> {
    let mel = |hertz: f64| 2595.0 * (hertz / 700.0).ln_1p() / std::f64::consts::LN_10;
    let (low, high) = (mel(form.lower_edge_hertz), mel(form.upper_edge_hertz));
    let count = form.num_mel_bins.saturating_add(2);
    let step = (high - low) / count as f64;
    let bin = |i: usize| {
        let mel = low + i as f64 * step;
        let hertz = 700.0 * (mel / 2595.0 * std::f64::consts::LN_10).exp_m1();
        ((form.dft_length as f64 + 1.0) * hertz / form.sample_rate as f64).floor() as usize
    };
    (0..count).map(bin).collect()
}
