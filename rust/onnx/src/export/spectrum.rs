//! Fourier transforms.

use super::emit::Emit;
use crate::ir::Attribute;
use lamina_core::{Attr, DType, Error, Result};

/// The points that are transformed, and how many of them are given, at one size.
fn sizes(shape: &[usize], axis: usize, length: &Attr, output: &Attr) -> Option<[usize; 2]> {
    let length = match length {
        Attr::Int(n) => usize::try_from(*n).ok()?,
        _ => *shape.get(axis)?,
    };
    let output = match output {
        Attr::Int(n) => usize::try_from(*n).ok()?,
        _ => length,
    };
    Some([length, output])
}

/// ONNX gives all points or the first half of those of a real signal, and
/// divides the inverse by their number.
pub(super) fn dft(e: &mut Emit<'_>) -> Result<()> {
    let shape = e.step.inputs[0].shape().to_vec();
    let rank = shape.len() as i64;
    let axis = e.int("dim")?.rem_euclid(rank);
    let (inverse, real) = (e.flag("inverse")?, e.flag("real")?);
    let given = e.attr("length")?;
    let (output, other) = e.step.both("output");
    let lost = || Error::internal("onnx.save: dft: a length that is none");
    let at = |shape: &[usize], output: &Attr| sizes(shape, axis as usize, &given, output);
    let [length, points] = at(&shape, &output).ok_or_else(lost)?;
    let half = |[length, points]: [usize; 2]| points == length / 2 + 1 && points < length;
    // The same half of the points at both sizes is no number of its own.
    let onesided = shape.last() == Some(&1) && !inverse && half([length, points]);
    if let (Some(twin), Some(other)) = (&e.step.twin, &other) {
        let again = at(twin.inputs[0].shape(), other).ok_or_else(lost)?;
        if output != *other && !(onesided && half(again)) {
            return Err(e.step.baked("output", &output, other));
        }
    }
    let factor = e.float("scale")? * if inverse { length as f64 } else { 1.0 };
    let x = e.inputs[0].clone();
    let given = match given {
        Attr::Int(n) => e.scalar(DType::I64, n as f64),
        _ => String::new(),
    };
    let mut attributes = vec![
        ("inverse", Attribute::Int(i64::from(inverse))),
        ("onesided", Attribute::Int(i64::from(onesided))),
    ];
    // An input from operator set 20 on.
    let mut y = if e.builder.edition.opset >= 20 {
        let axis = e.scalar(DType::I64, axis as f64);
        e.make("DFT", &[&x, &given, &axis], &attributes)
    } else {
        attributes.push(("axis", Attribute::Int(axis)));
        e.make("DFT", &[&x, &given], &attributes)
    };
    let cut = |e: &mut Emit<'_>, y: &str, axis: i64, end: usize| {
        let numbers = [[0], [end as i64], [axis]].map(|n| e.numbers(&n));
        e.make("Slice", &[y, &numbers[0], &numbers[1], &numbers[2]], &[])
    };
    if points < length && !onesided {
        y = cut(e, &y, axis, points);
    }
    if real {
        y = cut(e, &y, rank - 1, 1);
    }
    // 1 / n times n may be a rounding away from 1.
    if (factor - 1.0).abs() < 1e-15 {
        e.finish("Identity", &[&y], &[]);
    } else {
        let factor = e.scalar(e.dtype(0), factor);
        e.finish("Mul", &[&y, &factor], &[]);
    }
    Ok(())
}
