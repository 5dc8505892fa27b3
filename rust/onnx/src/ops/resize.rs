//! Resize and Upsample: each axis by itself, nearest by index, the others as
//! a product with that axis's weights.

use super::Handler;
use super::make::ints;
use crate::host::Host;
use crate::trace::{Call, Traced, Value, upload};
use lamina_core::{Attrs, DType};

pub(super) const FAMILY: &[(&str, i64, Handler)] =
    &[("Resize", 10, resize), ("Upsample", 7, upsample)];

/// How one axis is resized.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) old: usize,
    pub(super) new: usize,
    pub(super) scale: f64,
    /// The region of the input that is resized, in fractions.
    pub(super) roi: (f64, f64),
}

pub(super) struct Rule {
    pub(super) mode: String,
    pub(super) coordinate: String,
    pub(super) nearest: String,
    pub(super) cubic: f64,
    pub(super) antialias: bool,
    pub(super) exclude_outside: bool,
    pub(super) extrapolation: f64,
}

impl Rule {
    fn of(call: &Call<'_, '_>, coordinate: &str, nearest: &str) -> Traced<Rule> {
        let rule = Rule {
            mode: call.text("mode", "nearest")?,
            coordinate: call.text("coordinate_transformation_mode", coordinate)?,
            nearest: call.text("nearest_mode", nearest)?,
            cubic: call.float_or("cubic_coeff_a", -0.75)?,
            antialias: call.flag("antialias", false)?,
            exclude_outside: call.flag("exclude_outside", false)?,
            extrapolation: call.float_or("extrapolation_value", 0.0)?,
        };
        let known = matches!(rule.mode.as_str(), "nearest" | "linear" | "cubic")
            && matches!(
                rule.nearest.as_str(),
                "round_prefer_floor" | "round_prefer_ceil" | "floor" | "ceil"
            )
            && matches!(
                rule.coordinate.as_str(),
                "half_pixel"
                    | "half_pixel_symmetric"
                    | "pytorch_half_pixel"
                    | "align_corners"
                    | "asymmetric"
                    | "tf_crop_and_resize"
            );
        if known {
            Ok(rule)
        } else {
            call.unsupported(format!(
                "mode {}, {}, {}",
                rule.mode, rule.coordinate, rule.nearest
            ))
        }
    }

    /// Where output place `i` looks in the input.
    pub(super) fn place(&self, i: usize, axis: &Axis) -> f64 {
        let (i, old) = (i as f64, axis.old as f64);
        let new = axis.new as f64;
        // The size as asked for, before it is cut to a whole number.
        let exact = axis.scale * old;
        match self.coordinate.as_str() {
            "asymmetric" => i / axis.scale,
            "align_corners" if axis.new > 1 && exact != 1.0 => i * (old - 1.0) / (exact - 1.0),
            "align_corners" => 0.0,
            "pytorch_half_pixel" if axis.new <= 1 => 0.0,
            "half_pixel_symmetric" => {
                // What rounding the size took is shared by both ends.
                let centre = old / 2.0;
                let offset = centre * (1.0 - new / exact);
                offset + (i + 0.5) / axis.scale - 0.5
            }
            "tf_crop_and_resize" if axis.new > 1 => {
                axis.roi.0 * (old - 1.0) + i * (axis.roi.1 - axis.roi.0) * (old - 1.0) / (new - 1.0)
            }
            "tf_crop_and_resize" => 0.5 * (axis.roi.0 + axis.roi.1) * (old - 1.0),
            _ => (i + 0.5) / axis.scale - 0.5,
        }
    }

    fn outside(&self, at: f64, axis: &Axis) -> bool {
        self.coordinate == "tf_crop_and_resize" && (at < 0.0 || at > axis.old as f64 - 1.0)
    }

    fn nearest_index(&self, at: f64, axis: &Axis) -> i64 {
        let rounded = match self.nearest.as_str() {
            "floor" => at.floor(),
            "ceil" => at.ceil(),
            "round_prefer_ceil" => (at + 0.5).floor(),
            _ => (at - 0.5).ceil(),
        };
        (rounded as i64).clamp(0, axis.old as i64 - 1)
    }

    /// The kernel of linear or cubic interpolation (Keys 1981).
    fn kernel(&self, x: f64) -> f64 {
        let x = x.abs();
        if self.mode == "linear" {
            return (1.0 - x).max(0.0);
        }
        let a = self.cubic;
        match x {
            x if x <= 1.0 => ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0,
            x if x < 2.0 => ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a,
            _ => 0.0,
        }
    }

    /// Shrinking with antialias widens the kernel by the same factor.
    fn stretch(&self, axis: &Axis) -> f64 {
        if self.antialias {
            axis.scale.min(1.0)
        } else {
            1.0
        }
    }

    /// What each input place gives to output place `i`.
    pub(super) fn weights(&self, i: usize, axis: &Axis) -> Vec<f64> {
        let at = self.place(i, axis);
        let last = axis.old as i64 - 1;
        let stretch = self.stretch(axis);
        let reach = if self.mode == "linear" { 1.0 } else { 2.0 } / stretch;
        let (from, to) = ((at - reach).floor() as i64, (at + reach).ceil() as i64);
        let mut weights = vec![0.0; axis.old];
        let mut sum = 0.0;
        for j in from..=to {
            if self.exclude_outside && !(0..=last).contains(&j) {
                continue;
            }
            let weight = self.kernel((j as f64 - at) * stretch);
            sum += weight;
            weights[j.clamp(0, last) as usize] += weight;
        }
        if sum != 0.0 {
            for weight in &mut weights {
                *weight /= sum;
            }
        }
        weights
    }
}

fn upsample(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let scales = if call.version() < 9 {
        call.floats("scales")?.unwrap_or_default()
    } else {
        call.known(1)?.to_floats()
    };
    let shape = call.shape(&x)?;
    if scales.len() != shape.len() {
        return call.wrong(format!("{} scales for {} axes", scales.len(), shape.len()));
    }
    let rule = Rule::of(call, "asymmetric", "floor")?;
    let axes = shape
        .iter()
        .zip(&scales)
        .map(|(&n, &s)| scaled(n, s))
        .collect::<Vec<_>>();
    apply(call, &x, &axes, &rule)
}

fn scaled(old: usize, scale: f64) -> Axis {
    Axis {
        old,
        new: (old as f64 * scale).floor().max(0.0) as usize,
        scale,
        roi: (0.0, 1.0),
    }
}

fn resize(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let x = call.input(0)?;
    let shape = call.shape(&x)?;
    if call.version() < 11 {
        let scales = call.known(1)?.to_floats();
        if scales.len() != shape.len() {
            return call.wrong(format!("{} scales for {} axes", scales.len(), shape.len()));
        }
        let rule = Rule::of(call, "asymmetric", "floor")?;
        let axes = shape
            .iter()
            .zip(&scales)
            .map(|(&n, &s)| scaled(n, s))
            .collect::<Vec<_>>();
        return apply(call, &x, &axes, &rule);
    }
    let rule = Rule::of(call, "half_pixel", "round_prefer_floor")?;
    let named = match call.ints("axes")? {
        Some(axes) => axes
            .iter()
            .map(|&a| call.axis(a, shape.len()))
            .collect::<Traced<Vec<_>>>()?,
        None => (0..shape.len()).collect(),
    };
    let roi = if rule.coordinate == "tf_crop_and_resize" {
        call.known(1)?.to_floats()
    } else {
        Vec::new()
    };
    let scales = if call.has(2) {
        call.known(2)?.to_floats()
    } else {
        Vec::new()
    };
    let mut sizes = if call.has(3) {
        call.known_ints(3)?
    } else {
        Vec::new()
    };
    let count = named.len();
    if (scales.len() != count) == (sizes.len() != count)
        || !(roi.is_empty() || roi.len() == 2 * count)
    {
        return call.wrong(format!(
            "{} scales, {} sizes and {} roi for {count} axes",
            scales.len(),
            sizes.len(),
            roi.len()
        ));
    }
    let policy = call.text("keep_aspect_ratio_policy", "stretch")?;
    let mut common = None;
    if sizes.len() == count && policy != "stretch" {
        let ratios = named
            .iter()
            .zip(&sizes)
            .map(|(&a, &s)| s as f64 / shape[a] as f64);
        let scale = if policy == "not_larger" {
            ratios.fold(f64::INFINITY, f64::min)
        } else {
            ratios.fold(0.0, f64::max)
        };
        sizes = named
            .iter()
            .map(|&a| (scale * shape[a] as f64 + 0.5).floor() as i64)
            .collect();
        common = Some(scale);
    }
    let mut axes: Vec<Axis> = shape.iter().map(|&n| scaled(n, 1.0)).collect();
    for (i, &at) in named.iter().enumerate() {
        let old = shape[at];
        let mut axis = match sizes.get(i) {
            Some(&size) => {
                let Ok(new) = usize::try_from(size) else {
                    return call.wrong(format!("sizes {sizes:?} are no sizes"));
                };
                Axis {
                    old,
                    new,
                    scale: common.unwrap_or(new as f64 / old as f64),
                    roi: (0.0, 1.0),
                }
            }
            None => scaled(old, scales[i]),
        };
        if !roi.is_empty() {
            axis.roi = (roi[i], roi[i + count]);
            if sizes.is_empty() {
                axis.new = (old as f64 * (axis.roi.1 - axis.roi.0) * axis.scale)
                    .floor()
                    .max(0.0) as usize;
            }
        }
        axes[at] = axis;
    }
    apply(call, &x, &axes, &rule)
}

fn apply(call: &Call<'_, '_>, x: &Value, axes: &[Axis], rule: &Rule) -> Traced<Vec<Value>> {
    let crop = rule.coordinate == "tf_crop_and_resize";
    if axes.iter().any(|a| (a.old == 0) != (a.new == 0)) {
        return call.wrong("an empty axis cannot be resized");
    }
    let changes = |a: &Axis| {
        a.old != a.new
            || (crop && a.roi != (0.0, 1.0))
            || (a.scale != 1.0 && rule.mode != "nearest")
    };
    if let Some(y) = picture(call, x, axes, rule, &changes)? {
        return Ok(vec![y]);
    }
    let dtype = call.dtype(x)?;
    let exact = rule.mode == "nearest" || dtype == DType::F32 || dtype == DType::F64;
    let mut y = if exact {
        x.clone()
    } else {
        call.cast(x, DType::F32)?
    };
    for (at, axis) in axes.iter().enumerate().filter(|(_, a)| changes(a)) {
        y = one_axis(call, &y, at, axis, rule)?;
        if crop {
            y = extrapolated(call, &y, at, axis, rule)?;
        }
    }
    Ok(vec![call.cast(&y, dtype)?])
}

/// The plain cases of a picture's height and width, which have a kernel.
fn picture(
    call: &Call<'_, '_>,
    x: &Value,
    axes: &[Axis],
    rule: &Rule,
    changes: &dyn Fn(&Axis) -> bool,
) -> Traced<Option<Value>> {
    let [batch, channels, height, width] = axes else {
        return Ok(None);
    };
    let plain = !rule.antialias
        && !rule.exclude_outside
        && (rule.mode != "cubic" || rule.cubic == -0.75)
        && matches!(
            rule.coordinate.as_str(),
            "half_pixel" | "align_corners" | "asymmetric" | "pytorch_half_pixel"
        )
        && !changes(batch)
        && !changes(channels)
        && call.dtype(x)? == DType::F32;
    // The kernel computes the scale from the sizes: both must say the same.
    let exact = |a: &Axis| (a.scale - a.new as f64 / a.old as f64).abs() < 1e-12;
    if !plain || !exact(height) || !exact(width) {
        return Ok(None);
    }
    let attrs = Attrs::new()
        .with("size", vec![height.new as i64, width.new as i64])
        .with("mode", rule.mode.as_str())
        .with("coordinate_mode", rule.coordinate.as_str())
        .with("nearest_mode", rule.nearest.as_str());
    Ok(Some(call.record_one("resize", &[x], attrs)?))
}

fn one_axis(call: &Call<'_, '_>, x: &Value, at: usize, axis: &Axis, rule: &Rule) -> Traced<Value> {
    if rule.mode == "nearest" {
        let nearest = |i: usize| rule.nearest_index(rule.place(i, axis), axis);
        let indices = ints(call, DType::I64, &[axis.new], nearest)?;
        return call.take(x, &indices, at);
    }
    let taps = axis.new as f64 * 4.0 / rule.stretch(axis);
    if axis.old.saturating_mul(axis.new) > 1 << 24 || taps > f64::from(1 << 26) {
        return call.unsupported(format!(
            "resizing an axis of {} to {} in this mode",
            axis.old, axis.new
        ));
    }
    let dtype = call.dtype(x)?;
    // Column i holds the weights of output place i.
    let mut columns = vec![0.0; axis.old * axis.new];
    for i in 0..axis.new {
        for (j, weight) in rule.weights(i, axis).into_iter().enumerate() {
            columns[j * axis.new + i] = weight;
        }
    }
    let host = Host {
        dtype,
        shape: vec![axis.old, axis.new],
        data: crate::host::Data::Float(columns),
    };
    let weights: Value = upload(dtype, &host.shape, &host.to_bytes(), call.tracer.device)?.into();
    let shape = call.shape(x)?;
    let mut order: Vec<usize> = (0..shape.len()).filter(|&i| i != at).collect();
    order.push(at);
    let rows: usize = shape
        .iter()
        .enumerate()
        .filter(|(i, _)| *i != at)
        .map(|(_, &n)| n)
        .product();
    let mut moved: Vec<usize> = order.iter().map(|&i| shape[i]).collect();
    let flat = call.reshape(&call.transpose(x, &order)?, &[rows, axis.old])?;
    moved[shape.len() - 1] = axis.new;
    let y = call.reshape(&call.matmul(&flat, &weights)?, &moved)?;
    let mut back = vec![0; order.len()];
    for (to, &from) in order.iter().enumerate() {
        back[from] = to;
    }
    call.transpose(&y, &back)
}

/// Places that look outside of the input take the extrapolation value.
fn extrapolated(
    call: &Call<'_, '_>,
    y: &Value,
    at: usize,
    axis: &Axis,
    rule: &Rule,
) -> Traced<Value> {
    let outside = |i: usize| rule.outside(rule.place(i, axis), axis);
    if !(0..axis.new).any(outside) {
        return Ok(y.clone());
    }
    let mut shape = vec![1; call.rank(y)?];
    shape[at] = axis.new;
    let mask = ints(call, DType::Bool, &shape, |i| i64::from(outside(i)))?;
    call.select(&mask, &call.number(y, rule.extrapolation)?, y)
}
