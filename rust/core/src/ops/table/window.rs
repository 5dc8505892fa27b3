//! Windows that slide over one, two and three axes.

use super::{Builder, NoParams, sample};
use crate::ops::composed::conv::{Conv, ConvTranspose, conv, conv_transpose};
use crate::ops::composed::fold::{Fold, Unfold, fold, unfold};
use crate::ops::composed::pool::{self, Adaptive, AvgPool, LpPool, MaxPool, MaxUnpool};
use crate::ops::pool2d::{self, avg, max};
use crate::ops::{conv2d, inputs, overlap_add, views};
use crate::{Attrs, DType, Error, Result, Tensor};
use lamina_kernels::reduce::Reduction;

/// Two tensors, and a third if given.
pub(super) fn two_or_three<'a>(
    name: &str,
    xs: &'a [Tensor],
) -> Result<(&'a Tensor, &'a Tensor, Option<&'a Tensor>)> {
    match xs {
        [a, b] => Ok((a, b, None)),
        [a, b, c] => Ok((a, b, Some(c))),
        _ => Err(Error::argument(format!(
            "{name}: takes x, weight and perhaps bias, got {} tensors",
            xs.len()
        ))),
    }
}

pub(super) fn entries(b: &mut Builder) {
    for rank in 1..=3 {
        convolutions(b, rank);
        pools(b, rank);
    }
    two_axes(b);
    let x = || sample(&[&[2, 6]]);
    let framed = x().with("dim", 1i64).with("size", 3i64).with("step", 2i64);
    b.op("frame", framed, views::Frame::from_attrs);
    let frames = sample(&[&[2, 3, 4]]).with("dim", 1i64).with("step", 2i64);
    b.op("overlap_add", frames, overlap_add::OverlapAdd::from_attrs);
    let image = sample(&[&[1, 2, 4, 4]]).with("kernel_size", vec![2i64, 2]);
    b.composed("unfold", image, |name, xs, attrs| {
        let [x] = inputs(name, xs)?;
        Ok(vec![unfold(name, &Unfold::from_attrs(name, attrs)?, &x)?])
    });
    let columns = sample(&[&[1, 8, 9]])
        .with("output_size", vec![4i64, 4])
        .with("kernel_size", vec![2i64, 2]);
    b.composed("fold", columns, |name, xs, attrs| {
        let [x] = inputs(name, xs)?;
        Ok(vec![fold(name, &Fold::from_attrs(name, attrs)?, &x)?])
    });
}

fn convolutions(b: &mut Builder, rank: usize) {
    let image = [&[1, 2][..], &[5, 5, 5][..rank]].concat();
    let weight = [&[2, 2][..], &[3, 3, 3][..rank]].concat();
    let samples = || sample(&[&image, &weight, &[2]]);
    b.composed(
        &format!("conv{rank}d"),
        samples(),
        move |name, xs, attrs| {
            let (x, w, bias) = two_or_three(name, xs)?;
            let form = Conv::from_attrs(name, attrs)?;
            Ok(vec![conv(name, rank, &form, x, w, bias)?])
        },
    );
    b.composed(
        &format!("conv_transpose{rank}d"),
        samples(),
        move |name, xs, attrs| {
            let (x, w, bias) = two_or_three(name, xs)?;
            let form = ConvTranspose::from_attrs(name, attrs)?;
            Ok(vec![conv_transpose(name, rank, &form, x, w, bias)?])
        },
    );
}

type Pool = fn(&str, usize, &Attrs, &Tensor) -> Result<Vec<Tensor>>;

const POOLS: [(&str, Pool); 5] = [
    ("max_pool", |name, rank, attrs, x| {
        pool::max_pool(name, rank, &MaxPool::from_attrs(name, attrs)?, x)
    }),
    ("avg_pool", |name, rank, attrs, x| {
        let form = AvgPool::from_attrs(name, attrs)?;
        Ok(vec![pool::avg_pool(name, rank, &form, x)?])
    }),
    ("lp_pool", |name, rank, attrs, x| {
        let form = LpPool::from_attrs(name, attrs)?;
        Ok(vec![pool::lp_pool(name, rank, &form, x)?])
    }),
    ("adaptive_avg_pool", |name, rank, attrs, x| {
        let form = Adaptive::from_attrs(name, attrs)?;
        Ok(vec![pool::adaptive_avg_pool(name, rank, &form, x)?])
    }),
    ("adaptive_max_pool", |name, rank, attrs, x| {
        pool::adaptive_max_pool(name, rank, &Adaptive::from_attrs(name, attrs)?, x)
    }),
];

fn pools(b: &mut Builder, rank: usize) {
    let image = [&[1, 2][..], &[4, 4, 4][..rank]].concat();
    let halves = || sample(&[&image]).with("kernel_size", vec![2i64; rank]);
    for (kind, pool) in POOLS {
        let sample = match kind {
            "lp_pool" => halves().with("norm_type", 2.0),
            "max_pool" | "avg_pool" => halves(),
            _ => sample(&[&image]).with("output_size", vec![3i64; rank]),
        };
        b.composed(&format!("{kind}{rank}d"), sample, move |name, xs, attrs| {
            let [x] = inputs(name, xs)?;
            pool(name, rank, attrs, &x)
        });
    }
    let both = sample(&[&image, &image]).typed(1, DType::I64);
    let both = both.with("kernel_size", vec![2i64; rank]);
    b.composed(
        &format!("max_unpool{rank}d"),
        both,
        move |name, xs, attrs| {
            let [x, index] = inputs(name, xs)?;
            let form = MaxUnpool::from_attrs(name, attrs)?;
            Ok(vec![pool::max_unpool(name, rank, &form, &x, &index)?])
        },
    );
}

/// What the others are made of.
fn two_axes(b: &mut Builder) {
    b.op(
        "conv2d_backward_input",
        sample(&[&[1, 2, 3, 3], &[2, 2, 3, 3]]).with("size", vec![5i64, 5]),
        conv2d::Conv2dBackwardInput::from_attrs,
    );
    b.op(
        "conv2d_backward_weight",
        sample(&[&[1, 2, 5, 5], &[1, 2, 3, 3]]).with("size", vec![3i64, 3]),
        conv2d::Conv2dBackwardWeight::from_attrs,
    );
    b.op(
        "max_pool2d_backward",
        sample(&[&[1, 2, 4, 4], &[1, 2, 2, 2]]).with("kernel_size", vec![2i64, 2]),
        max::MaxPool2dBackward::from_attrs,
    );
    b.op(
        "avg_pool2d_backward",
        sample(&[&[1, 2, 2, 2]])
            .with("size", vec![4i64, 4])
            .with("kernel_size", vec![2i64, 2]),
        avg::AvgPool2dBackward::from_attrs,
    );
    for (name, kind) in [
        ("global_avg_pool2d", Reduction::Mean),
        ("global_max_pool2d", Reduction::Max),
    ] {
        b.composed(name, sample(&[&[1, 2, 4, 4]]), move |name, xs, attrs| {
            NoParams::from_attrs(name, attrs)?;
            let [x] = inputs(name, xs)?;
            Ok(vec![pool2d::global(name, kind, &x)?])
        });
    }
}
