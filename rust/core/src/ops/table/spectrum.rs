//! Fourier transforms and what goes with them.

use super::{Builder, Sample, sample};
use crate::ops::composed::spectrum::{self as s, Fft, Istft, Mel, Stft, Window};
use crate::ops::{dft, inputs};
use crate::{Error, Result, Tensor};

/// x, and perhaps a window.
fn windowed<'a>(name: &str, xs: &'a [Tensor]) -> Result<(&'a Tensor, Option<&'a Tensor>)> {
    match xs {
        [x] => Ok((x, None)),
        [x, window] => Ok((x, Some(window))),
        _ => Err(Error::argument(format!(
            "{name}: takes x and perhaps a window, got {} tensors",
            xs.len()
        ))),
    }
}

pub(super) fn entries(b: &mut Builder) {
    b.op("dft", sample(&[&[2, 6, 2]]), dft::Dft::from_attrs);
    let pairs = || sample(&[&[2, 6, 2]]);
    for (name, inverse) in [("fft", false), ("ifft", true)] {
        b.composed(name, pairs(), move |name, xs, attrs| {
            let [x] = inputs(name, xs)?;
            Ok(vec![s::fft(
                name,
                &x,
                &Fft::from_attrs(name, attrs)?,
                inverse,
            )?])
        });
    }
    b.composed("rfft", sample(&[&[2, 6]]), |name, xs, attrs| {
        let [x] = inputs(name, xs)?;
        Ok(vec![s::rfft(name, &x, &Fft::from_attrs(name, attrs)?)?])
    });
    b.composed("irfft", sample(&[&[2, 4, 2]]), |name, xs, attrs| {
        let [x] = inputs(name, xs)?;
        Ok(vec![s::irfft(name, &x, &Fft::from_attrs(name, attrs)?)?])
    });
    let signal = sample(&[&[2, 12], &[4]]).with("n_fft", 4i64);
    b.composed("stft", signal, |name, xs, attrs| {
        let (x, window) = windowed(name, xs)?;
        Ok(vec![s::stft(
            name,
            x,
            window,
            &Stft::from_attrs(name, attrs)?,
        )?])
    });
    let spectra = sample(&[&[2, 3, 5, 2], &[4]]).with("n_fft", 4i64);
    b.composed("istft", spectra, |name, xs, attrs| {
        let (x, window) = windowed(name, xs)?;
        Ok(vec![s::istft(
            name,
            x,
            window,
            &Istft::from_attrs(name, attrs)?,
        )?])
    });
    made(b);
}

const WINDOWS: [(&str, [f64; 3]); 3] = [
    ("hann_window", [0.5, 0.5, 0.0]),
    ("hamming_window", [0.54, 0.46, 0.0]),
    ("blackman_window", [0.42, 0.5, 0.08]),
];

fn made(b: &mut Builder) {
    for (name, terms) in WINDOWS {
        let eight = Sample::default().with("size", 8i64);
        b.composed(name, eight, move |name, xs, attrs| {
            let [] = inputs(name, xs)?;
            Ok(vec![s::window(&Window::from_attrs(name, attrs)?, terms)?])
        });
    }
    let bands = Sample::default()
        .with("num_mel_bins", 4i64)
        .with("dft_length", 16i64)
        .with("sample_rate", 8000i64)
        .with("lower_edge_hertz", 0.0)
        .with("upper_edge_hertz", 4000.0);
    b.composed("mel_weight_matrix", bands, |name, xs, attrs| {
        let [] = inputs(name, xs)?;
        Ok(vec![s::mel_weight_matrix(
            name,
            &Mel::from_attrs(name, attrs)?,
        )?])
    });
}
