//! Pooling and normalisation.

use super::{Builder, NoParams, sample};
use crate::ops::{batch_norm, inputs, pool2d};
use crate::{Error, params};
use lamina_kernels::reduce::Reduction;

params! {
    pub struct BatchNorm { training: bool = false, eps: f64 = 1e-5 }
}

pub(super) fn entries(b: &mut Builder) {
    let image = || sample(&[&[1, 2, 6, 6]]).with("kernel_size", 2i64);
    b.composed("max_pool2d", image(), |name, xs, attrs| {
        let [x] = inputs(name, xs)?;
        let mut outputs = pool2d::max_pool2d(&pool2d::MaxPool2d::from_attrs(name, attrs)?, &x)?;
        outputs.truncate(1);
        Ok(outputs)
    });
    b.op(
        "max_pool2d_with_indices",
        image(),
        pool2d::MaxPool2d::from_attrs,
    );
    b.op("avg_pool2d", image(), pool2d::AvgPool2d::from_attrs);
    for (name, kind) in [
        ("global_avg_pool2d", Reduction::Mean),
        ("global_max_pool2d", Reduction::Max),
    ] {
        b.composed(name, sample(&[&[1, 2, 6, 6]]), move |name, xs, attrs| {
            NoParams::from_attrs(name, attrs)?;
            let [x] = inputs(name, xs)?;
            Ok(vec![pool2d::global_pool2d(name, kind, &x)?])
        });
    }
    b.composed(
        "batch_norm",
        sample(&[&[2, 3, 4], &[3], &[3], &[3], &[3]]),
        |name, xs, attrs| {
            let form = BatchNorm::from_attrs(name, attrs)?;
            match (form.training, xs) {
                (true, [x, weight, bias]) => {
                    batch_norm::batch_norm_train(x, weight, bias, form.eps)
                }
                (false, [x, weight, bias, mean, var]) => Ok(vec![batch_norm::batch_norm_infer(
                    x,
                    [weight, bias, mean, var],
                    form.eps,
                )?]),
                (training, _) => Err(Error::argument(format!(
                    "batch_norm: takes x, weight and bias{}, got {} tensors",
                    if training {
                        ""
                    } else {
                        ", running_mean and running_var when not training"
                    },
                    xs.len()
                ))),
            }
        },
    );
}
