//! Random values.

use super::{Builder, sample};
use crate::ops::{inputs, random};
use crate::{DType, Device, Result, Tensor, params};

params! {
    pub struct Uniform {
        shape: Vec<i64>,
        low: f64 = 0.0,
        high: f64 = 1.0,
        dtype: DType = DType::F32,
        device: Option<String> = None,
    }
}

params! {
    pub struct Normal {
        shape: Vec<i64>,
        mean: f64 = 0.0,
        std: f64 = 1.0,
        dtype: DType = DType::F32,
        device: Option<String> = None,
    }
}

params! {
    pub struct Dropout { p: f64 = 0.5 }
}

fn device(name: Option<&str>) -> Result<Device> {
    name.map_or_else(Device::current, Device::parse)
}

type Drop = fn(&Tensor, f64) -> Result<Tensor>;
const DROPS: [(&str, Drop, &[usize]); 3] = [
    ("dropout", random::dropout, &[4]),
    ("alpha_dropout", random::alpha_dropout, &[4]),
    ("feature_dropout", random::feature_dropout, &[2, 3, 4]),
];

pub(super) fn entries(b: &mut Builder) {
    for name in ["random_uniform", "random_normal"] {
        let state = sample(&[&[4]])
            .typed(0, DType::U32)
            .with("shape", vec![4i64]);
        b.op(name, state, random::Random::from_attrs);
    }
    b.composed("uniform", sample(&[]), |name, xs, attrs| {
        let [] = inputs(name, xs)?;
        let p = Uniform::from_attrs(name, attrs)?;
        Ok(vec![random::uniform(
            &p.shape,
            p.low,
            p.high,
            p.dtype,
            device(p.device.as_deref())?,
        )?])
    });
    b.composed("normal", sample(&[]), |name, xs, attrs| {
        let [] = inputs(name, xs)?;
        let p = Normal::from_attrs(name, attrs)?;
        Ok(vec![random::normal(
            &p.shape,
            p.mean,
            p.std,
            p.dtype,
            device(p.device.as_deref())?,
        )?])
    });
    for (name, drop, shape) in DROPS {
        b.composed(name, sample(&[shape]), move |name, xs, attrs| {
            let [x] = inputs(name, xs)?;
            Ok(vec![drop(&x, Dropout::from_attrs(name, attrs)?.p)?])
        });
    }
}
