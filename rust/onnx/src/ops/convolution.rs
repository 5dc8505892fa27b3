//! Convolutions, and the windows that they and pooling are given by.

use super::Handler;
use crate::trace::{Call, Traced, Value};
use lamina_core::{Attr, Attrs};

pub(super) const FAMILY: &[(&str, i64, Handler)] = &[
    ("Conv", 1, conv),
    ("ConvTranspose", 1, conv_transpose),
    ("Col2Im", 18, col2im),
];

/// The attributes that convolution and pooling share, for each axis.
pub(super) struct Window {
    pub(super) kernel: Vec<i64>,
    pub(super) stride: Vec<i64>,
    pub(super) dilation: Vec<i64>,
    pub(super) padding: Padding,
}

pub(super) enum Padding {
    /// In front of each axis, then behind each.
    Explicit(Vec<i64>),
    Same,
    SameLower,
}

/// The axes behind batch and channel.
pub(super) fn spatial(call: &Call<'_, '_>, x: &Value) -> Traced<usize> {
    match call.rank(x)? {
        rank @ 3..=5 => Ok(rank - 2),
        rank => call.unsupported(format!(
            "windows over an input of {rank} axes; batch, channels and one to three axes exist"
        )),
    }
}

/// Sizes, strides, steps and borders that are taken seriously; what follows
/// from two of them fits 64 bits.
const MOST: i64 = 1 << 31;

/// `count` numbers of at least `least`.
pub(super) fn numbers(
    call: &Call<'_, '_>,
    name: &str,
    count: usize,
    least: i64,
) -> Traced<Option<Vec<i64>>> {
    match call.ints(name)? {
        Some(values)
            if values.len() != count
                || values
                    .iter()
                    .any(|v| *v < least || v.unsigned_abs() > MOST as u64) =>
        {
            let wanted = match least {
                i64::MIN => format!("{count} numbers of at most {MOST}"),
                _ => format!("{count} numbers from {least} to {MOST}"),
            };
            call.wrong(format!("attribute '{name}' is {values:?}, wanted {wanted}"))
        }
        values => Ok(values),
    }
}

/// Numbers that are 1 where they are not given.
pub(super) fn steps(call: &Call<'_, '_>, name: &str, rank: usize) -> Traced<Vec<i64>> {
    Ok(numbers(call, name, rank, 1)?.unwrap_or_else(|| vec![1; rank]))
}

impl Window {
    /// `kernel` is what the attribute must say, None where only it says.
    pub(super) fn of(call: &Call<'_, '_>, rank: usize, kernel: Option<&[usize]>) -> Traced<Window> {
        let given = numbers(call, "kernel_shape", rank, 1)?;
        let own = kernel.map(|kernel| kernel.iter().map(|&k| k as i64).collect::<Vec<_>>());
        let kernel = match (own, given) {
            (Some(own), Some(given)) if own != given => {
                return call.wrong(format!(
                    "attribute 'kernel_shape' is {given:?}, the weight's own {own:?}"
                ));
            }
            (Some(own), _) if own.contains(&0) => return call.wrong("the weight has no taps"),
            (Some(kernel), _) | (None, Some(kernel)) => kernel,
            (None, None) => {
                return call.wrong("attribute 'kernel_shape' is required and is missing");
            }
        };
        let padding = match call.text("auto_pad", "NOTSET")?.as_str() {
            "NOTSET" | "" => Padding::Explicit(
                numbers(call, "pads", 2 * rank, i64::MIN)?.unwrap_or_else(|| vec![0; 2 * rank]),
            ),
            "SAME_UPPER" => Padding::Same,
            "SAME_LOWER" => Padding::SameLower,
            "VALID" => Padding::Explicit(vec![0; 2 * rank]),
            other => {
                return call.wrong(format!(
                    "attribute 'auto_pad' is '{other}', which ONNX does not have"
                ));
            }
        };
        Ok(Window {
            kernel,
            stride: steps(call, "strides", rank)?,
            dilation: steps(call, "dilations", rank)?,
            padding,
        })
    }

    /// How it moves, as the core's ops have it.
    pub(super) fn attrs(&self) -> Attrs {
        let padding = match &self.padding {
            Padding::Explicit(pads) => Attr::Ints(pads.clone()),
            Padding::Same => Attr::Str("same".into()),
            Padding::SameLower => Attr::Str("same_lower".into()),
        };
        Attrs::new()
            .with("stride", self.stride.clone())
            .with("padding", padding)
            .with("dilation", self.dilation.clone())
    }
}

/// Negative padding cuts.
fn cropped(call: &Call<'_, '_>, x: &Value, pads: &mut [i64]) -> Traced<Value> {
    if pads.iter().all(|&p| p >= 0) {
        return Ok(x.clone());
    }
    let sizes = &call.shape(x)?[2..];
    let rank = sizes.len();
    let axes: Vec<usize> = (2..rank + 2).collect();
    let cut: Vec<i64> = pads.iter().map(|p| (-p).max(0)).collect();
    for pad in pads.iter_mut() {
        *pad = (*pad).max(0);
    }
    let ends = sizes.iter().zip(&cut[rank..]);
    let ends: Vec<i64> = ends.map(|(&n, cut)| (n as i64 - cut).max(0)).collect();
    call.slice(x, &axes, &cut[..rank], &ends, &vec![1; rank])
}

/// Input, weight and how many axes they have.
fn operands(call: &Call<'_, '_>) -> Traced<(Value, Value, usize)> {
    let (x, w) = (call.input(0)?, call.input(1)?);
    let rank = spatial(call, &x)?;
    if call.rank(&w)? != rank + 2 {
        return call.wrong(format!(
            "a convolution of {} axes by weights of {}",
            rank + 2,
            call.rank(&w)?
        ));
    }
    Ok((x, w, rank))
}

fn record(
    call: &Call<'_, '_>,
    name: &str,
    x: &Value,
    w: &Value,
    attrs: Attrs,
) -> Traced<Vec<Value>> {
    let bias = call.optional(2);
    let mut inputs = vec![x, w];
    inputs.extend(bias.as_ref());
    let attrs = attrs.with("groups", call.int_or("group", 1)?);
    Ok(vec![call.record_one(name, &inputs, attrs)?])
}

/// A convolution over two axes, which is all that there is of integers: of one
/// axis the first is 1 long.
pub(super) struct Plane {
    pub(super) x: Value,
    pub(super) w: Value,
    pub(super) attrs: Attrs,
    /// Of the model's own axes.
    rank: usize,
}

impl Plane {
    /// Of a node over `x`, with weight `w`.
    pub(super) fn of(call: &Call<'_, '_>, x: &Value, w: &Value) -> Traced<Plane> {
        let rank = spatial(call, x)?;
        if rank > 2 || call.rank(w)? != rank + 2 {
            return call.unsupported(format!(
                "convolution of integers over {rank} axes by weights of {}; 1-d and 2-d exist",
                call.rank(w)?
            ));
        }
        let mut window = Window::of(call, rank, Some(&call.shape(w)?[2..]))?;
        let mut x = x.clone();
        if let Padding::Explicit(pads) = &mut window.padding {
            x = cropped(call, &x, pads)?;
        }
        let mut w = w.clone();
        if rank == 1 {
            (x, w) = (raised(call, &x)?, raised(call, &w)?);
            window.stride.insert(0, 1);
            window.dilation.insert(0, 1);
            if let Padding::Explicit(pads) = &mut window.padding {
                *pads = vec![0, pads[0], 0, pads[1]];
            }
        }
        let attrs = window.attrs().with("groups", call.int_or("group", 1)?);
        Ok(Plane { x, w, attrs, rank })
    }

    /// The result over the model's own axes.
    pub(super) fn result(&self, call: &Call<'_, '_>, y: &Value) -> Traced<Value> {
        match call.shape(y)?[..] {
            [n, c, _, length] if self.rank == 1 => call.reshape(y, &[n, c, length]),
            _ => Ok(y.clone()),
        }
    }
}

/// (batch, channels, length) as a picture of height 1.
fn raised(call: &Call<'_, '_>, x: &Value) -> Traced<Value> {
    let mut shape = call.shape(x)?;
    shape.insert(2, 1);
    call.reshape(x, &shape)
}

fn conv(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (mut x, w, rank) = operands(call)?;
    let mut window = Window::of(call, rank, Some(&call.shape(&w)?[2..]))?;
    if let Padding::Explicit(pads) = &mut window.padding {
        x = cropped(call, &x, pads)?;
    }
    record(call, &format!("conv{rank}d"), &x, &w, window.attrs())
}

/// With an output shape, padding is what is left over: the odd one goes to
/// the start, except under SAME_UPPER.
fn conv_transpose(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (x, w, rank) = operands(call)?;
    let mut window = Window::of(call, rank, Some(&call.shape(&w)?[2..]))?;
    let wanted = match call.ints("output_shape")?.as_deref() {
        None | Some([]) => None,
        Some(_) => numbers(call, "output_shape", rank, 1)?,
    };
    if wanted.is_some() && !matches!(window.padding, Padding::Same) {
        window.padding = Padding::SameLower;
    }
    let more = numbers(call, "output_padding", rank, 0)?.unwrap_or_else(|| vec![0; rank]);
    let attrs = (window.attrs())
        .with("output_padding", more)
        .with("output_size", wanted.map_or(Attr::None, Attr::Ints));
    record(call, &format!("conv_transpose{rank}d"), &x, &w, attrs)
}

fn col2im(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let (size, kernel) = (call.known_ints(1)?, call.known_ints(2)?);
    let rank = size.len();
    if kernel.len() != rank {
        return call.wrong(format!("image_shape is {size:?}, block_shape {kernel:?}"));
    }
    let pads = numbers(call, "pads", 2 * rank, 0)?.unwrap_or_else(|| vec![0; 2 * rank]);
    let attrs = Attrs::new()
        .with("output_size", size)
        .with("kernel_size", kernel)
        .with("padding", pads)
        .with("stride", steps(call, "strides", rank)?)
        .with("dilation", steps(call, "dilations", rank)?);
    Ok(vec![call.record_one("fold", &[&x], attrs)?])
}
