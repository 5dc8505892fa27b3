//! Convolutions of one and two dimensions.

use super::Handler;
use crate::trace::{Call, Traced, Value};
use lamina_core::{Attr, Attrs};

pub(super) const FAMILY: &[(&str, i64, Handler)] =
    &[("Conv", 1, conv), ("ConvTranspose", 1, conv_transpose)];

/// The window attributes that convolution and pooling share, for two axes.
/// One-dimensional ones slide over an axis of size 1 before their own.
pub(super) struct Window {
    pub(super) kernel: [usize; 2],
    pub(super) stride: [usize; 2],
    pub(super) dilation: [usize; 2],
    pub(super) padding: Padding,
}

pub(super) enum Padding {
    /// Top, left, bottom, right.
    Explicit([i64; 4]),
    Same,
    SameLower,
    Valid,
}

impl Padding {
    pub(super) fn attr(&self) -> Attr {
        match self {
            Padding::Explicit(pads) => Attr::Ints(pads.to_vec()),
            Padding::Same => Attr::Str("same".into()),
            Padding::SameLower => Attr::Str("same_lower".into()),
            Padding::Valid => Attr::Str("valid".into()),
        }
    }
}

/// Sizes, strides and steps of windows that are taken seriously; what follows
/// from two of them fits 64 bits.
const SIZES: std::ops::RangeInclusive<i64> = 1..=1 << 31;

/// One or two positive numbers as two.
fn pair(call: &Call<'_, '_>, name: &str, spatial: usize) -> Traced<[usize; 2]> {
    let Some(values) = call.ints(name)? else {
        return Ok([1; 2]);
    };
    match (spatial, &values[..]) {
        (1, &[x]) if SIZES.contains(&x) => Ok([1, x as usize]),
        (2, &[y, x]) if SIZES.contains(&y) && SIZES.contains(&x) => Ok([y as usize, x as usize]),
        _ => call.wrong(format!(
            "attribute '{name}' is {values:?}, wanted {spatial} numbers from 1 to {}",
            SIZES.end()
        )),
    }
}

impl Window {
    /// `kernel` is what the attribute must say, None where only it says.
    pub(super) fn of(
        call: &Call<'_, '_>,
        spatial: usize,
        kernel: Option<[usize; 2]>,
    ) -> Traced<Window> {
        if !matches!(spatial, 1 | 2) {
            return call.unsupported(format!("windows over {spatial} axes"));
        }
        let kernel = match kernel {
            Some([0, _] | [_, 0]) => return call.wrong("the weight has no taps"),
            Some(kernel)
                if !call.has_attribute("kernel_shape")
                    || pair(call, "kernel_shape", spatial)? == kernel =>
            {
                kernel
            }
            Some(kernel) => {
                return call.wrong(format!(
                    "attribute 'kernel_shape' does not say {kernel:?}, the weight's own"
                ));
            }
            None if call.has_attribute("kernel_shape") => pair(call, "kernel_shape", spatial)?,
            None => return call.wrong("attribute 'kernel_shape' is required and is missing"),
        };
        let padding = match call.text("auto_pad", "NOTSET")?.as_str() {
            "NOTSET" | "" => Padding::Explicit(match (spatial, call.ints("pads")?.as_deref()) {
                (_, None) => [0; 4],
                (1, Some(&[left, right])) => [0, left, 0, right],
                (2, Some(&[top, left, bottom, right])) => [top, left, bottom, right],
                (_, Some(pads)) => {
                    return call.wrong(format!(
                        "attribute 'pads' is {pads:?}, wanted {} numbers",
                        2 * spatial
                    ));
                }
            }),
            "SAME_UPPER" => Padding::Same,
            "SAME_LOWER" => Padding::SameLower,
            "VALID" => Padding::Valid,
            other => {
                return call.wrong(format!(
                    "attribute 'auto_pad' is '{other}', which ONNX does not have"
                ));
            }
        };
        if let Padding::Explicit(pads) = &padding
            && pads.iter().any(|p| p.unsigned_abs() > 1 << 40)
        {
            return call.wrong(format!("attribute 'pads' is {pads:?}"));
        }
        let (stride, dilation) = (
            pair(call, "strides", spatial)?,
            pair(call, "dilations", spatial)?,
        );
        Ok(Window {
            kernel,
            stride,
            dilation,
            padding,
        })
    }

    pub(super) fn attrs(&self) -> Attrs {
        let pair = |p: [usize; 2]| vec![p[0] as i64, p[1] as i64];
        Attrs::new()
            .with("stride", pair(self.stride))
            .with("padding", self.padding.attr())
            .with("dilation", pair(self.dilation))
    }
}

/// (batch, channels, length) as a picture of height 1.
pub(super) fn lift(call: &Call<'_, '_>, x: &Value) -> Traced<Value> {
    match call.shape(x)?[..] {
        [n, c, w] => call.reshape(x, &[n, c, 1, w]),
        _ => Ok(x.clone()),
    }
}

/// Back from [`lift`].
pub(super) fn lower(call: &Call<'_, '_>, y: &Value, rank: usize) -> Traced<Value> {
    match call.shape(y)?[..] {
        [n, c, 1, w] if rank == 3 => call.reshape(y, &[n, c, w]),
        _ => Ok(y.clone()),
    }
}

/// Pads below 0 cut the picture before the window slides over it.
fn cropped(call: &Call<'_, '_>, x: &Value, pads: &mut [i64; 4]) -> Traced<Value> {
    if pads.iter().all(|&p| p >= 0) {
        return Ok(x.clone());
    }
    let [.., height, width] = call.shape(x)?[..] else {
        return Ok(x.clone());
    };
    let cut = pads.map(|p| (-p).max(0));
    *pads = pads.map(|p| p.max(0));
    call.slice(
        x,
        &[2, 3],
        &[cut[0], cut[1]],
        &[height as i64 - cut[2], width as i64 - cut[3]],
        &[1, 1],
    )
}

fn conv(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (x, w) = (call.input(0)?, call.input(1)?);
    let rank = call.rank(&x)?;
    if !matches!(rank, 3 | 4) || call.rank(&w)? != rank {
        return call.unsupported(format!(
            "convolution of {rank} axes by weights of {}; 1-d and 2-d exist",
            call.rank(&w)?
        ));
    }
    let (mut x, w) = (lift(call, &x)?, lift(call, &w)?);
    let [_, _, kernel_h, kernel_w] = call.dims(&w, "the weight")?;
    let mut window = Window::of(call, rank - 2, Some([kernel_h, kernel_w]))?;
    if let Padding::Explicit(pads) = &mut window.padding {
        x = cropped(call, &x, pads)?;
    }
    let attrs = window.attrs().with("groups", call.int_or("group", 1)?);
    let bias = call.optional(2);
    let mut inputs = vec![&x, &w];
    inputs.extend(bias.as_ref());
    let y = call.record_one("conv2d", &inputs, attrs)?;
    Ok(vec![lower(call, &y, rank)?])
}

/// The transpose of convolution: zeros between the elements, then a
/// convolution with the kernel turned around.
fn conv_transpose(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let (x, w) = (call.input(0)?, call.input(1)?);
    let rank = call.rank(&x)?;
    if !matches!(rank, 3 | 4) || call.rank(&w)? != rank {
        return call.unsupported(format!(
            "transposed convolution of {rank} axes; 1-d and 2-d exist"
        ));
    }
    let (x, w) = (lift(call, &x)?, lift(call, &w)?);
    let [in_c, out_c, kernel_h, kernel_w] = call.dims(&w, "the weight")?;
    let groups = call.int_or("group", 1)?;
    let g = usize::try_from(groups).unwrap_or(0);
    if g == 0 || in_c % g != 0 {
        return call.wrong(format!(
            "{in_c} channels do not divide into {groups} groups"
        ));
    }
    let window = Window::of(call, rank - 2, Some([kernel_h, kernel_w]))?;
    let [_, _, height, width] = call.dims(&x, "the input")?;
    let mut pads = transposed_pads(call, &window, [height, width], rank - 2)?;
    let spread = spread(call, &x, window.stride)?;
    let x = cropped(call, &spread, &mut pads)?;
    // (in, out / g, ..) to (out, in / g, ..), turned around.
    let w = call.reshape(&w, &[g, in_c / g, out_c, kernel_h, kernel_w])?;
    let w = call.transpose(&w, &[0, 2, 1, 3, 4])?;
    let w = call.reshape(&w, &[g * out_c, in_c / g, kernel_h, kernel_w])?;
    let w = call.flip(&call.flip(&w, 2)?, 3)?;
    let attrs = Window {
        stride: [1; 2],
        padding: Padding::Explicit(pads),
        ..window
    }
    .attrs()
    .with("groups", groups);
    let bias = call.optional(2);
    let mut inputs = vec![&x, &w];
    inputs.extend(bias.as_ref());
    let y = call.record_one("conv2d", &inputs, attrs)?;
    Ok(vec![lower(call, &y, rank)?])
}

/// Padding of the convolution over the spread input.  An output of size
/// s (n - 1) + d (k - 1) + 1 + extra - begin - end comes from padding
/// d (k - 1) - begin before and d (k - 1) - end + extra after.
fn transposed_pads(
    call: &Call<'_, '_>,
    window: &Window,
    size: [usize; 2],
    spatial: usize,
) -> Traced<[i64; 4]> {
    let two = |name: &str| -> Traced<Option<[i64; 2]>> {
        match (spatial, call.ints(name)?.as_deref()) {
            (_, None | Some([])) => Ok(None),
            (1, Some(&[x])) if (0..=*SIZES.end()).contains(&x) => Ok(Some([0, x])),
            (2, Some(&[y, x]))
                if (0..=*SIZES.end()).contains(&y) && (0..=*SIZES.end()).contains(&x) =>
            {
                Ok(Some([y, x]))
            }
            (_, Some(other)) => call.wrong(format!(
                "attribute '{name}' is {other:?}, wanted {spatial} numbers >= 0"
            )),
        }
    };
    let extra = two("output_padding")?.unwrap_or([0; 2]);
    let wanted = two("output_shape")?;
    let mut pads = [0i64; 4];
    for axis in 0..2 {
        let (s, reach) = (
            window.stride[axis] as i64,
            (window.dilation[axis] * (window.kernel[axis] - 1)) as i64,
        );
        let full = s
            .saturating_mul(size[axis] as i64 - 1)
            .saturating_add(reach + 1 + extra[axis]);
        let goal = match (&window.padding, wanted) {
            (_, Some(_)) if axis == 0 && spatial == 1 => None,
            (_, Some(wanted)) => Some(wanted[axis]),
            (Padding::Same | Padding::SameLower, None) => Some(s.saturating_mul(size[axis] as i64)),
            _ => None,
        };
        let (begin, end) = match (goal, &window.padding) {
            (Some(goal), padding) => {
                let total = full - goal;
                // The odd one goes to the start, except under SAME_UPPER.
                let half = total.div_euclid(2);
                if matches!(padding, Padding::Same) {
                    (half, total - half)
                } else {
                    (total - half, half)
                }
            }
            (None, Padding::Explicit(p)) => (p[axis], p[axis + 2]),
            (None, _) => (0, 0),
        };
        pads[axis] = reach - begin;
        pads[axis + 2] = reach - end + extra[axis];
    }
    Ok(pads)
}

/// The elements of a picture with `stride - 1` zeros between them.
fn spread(call: &Call<'_, '_>, x: &Value, stride: [usize; 2]) -> Traced<Value> {
    let [n, c, height, width] = call.dims(x, "the input")?;
    let [sy, sx] = stride;
    if stride == [1, 1] || height * width == 0 {
        return Ok(x.clone());
    }
    let x = call.reshape(x, &[n, c, height, 1, width, 1])?;
    let pads = vec![0, 0, 0, 0, 0, 0, 0, 0, 0, sy as i64 - 1, 0, sx as i64 - 1];
    let x = call.record_one(
        "pad",
        &[&x],
        Attrs::new()
            .with("pads", pads)
            .with("mode", "constant")
            .with("value", 0.0),
    )?;
    let x = call.reshape(&x, &[n, c, height * sy, width * sx])?;
    let ends = [
        ((height - 1) * sy + 1) as i64,
        ((width - 1) * sx + 1) as i64,
    ];
    call.slice(&x, &[2, 3], &[0, 0], &ends, &[1, 1])
}
