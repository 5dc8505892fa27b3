//! Reshaping, cutting, joining and reducing small tensors.

use super::arithmetic::places;
use super::{Data, Host, MAX_ELEMENTS, fits};
use lamina_core::DType;

impl Host {
    /// The elements at `at`, under `shape`.
    fn take(&self, shape: Vec<usize>, at: &[usize]) -> Host {
        let data = match &self.data {
            Data::Int(v) => Data::Int(at.iter().map(|&i| v[i]).collect()),
            Data::Float(v) => Data::Float(at.iter().map(|&i| v[i]).collect()),
        };
        Host {
            dtype: self.dtype,
            shape,
            data,
        }
    }

    pub(crate) fn reshape(&self, shape: &[usize]) -> Option<Host> {
        (fits(shape) && shape.iter().product::<usize>() == self.len()).then(|| Host {
            dtype: self.dtype,
            shape: shape.to_vec(),
            data: self.data.clone(),
        })
    }

    pub(crate) fn expand(&self, shape: &[usize]) -> Option<Host> {
        fits(shape).then(|| self.take(shape.to_vec(), &places(&self.shape, shape)))
    }

    pub(crate) fn transpose(&self, order: &[usize]) -> Host {
        let strides = strides(&self.shape);
        let shape: Vec<usize> = order.iter().map(|&i| self.shape[i]).collect();
        let mut at = vec![0usize];
        for &axis in order {
            at = at
                .iter()
                .flat_map(|&p| (0..self.shape[axis]).map(move |i| (p, i)))
                .map(|(p, i)| p + i * strides[axis])
                .collect();
        }
        self.take(shape, &at)
    }

    /// Python's `x[start:end:step]` along `axis`.
    pub(crate) fn slice(&self, axis: usize, start: i64, end: i64, step: i64) -> Option<Host> {
        let n = self.shape[axis] as i64;
        let wrap = |x: i64| if x < 0 { x.saturating_add(n) } else { x };
        let (lo, hi) = if step > 0 { (0, n) } else { (-1, n - 1) };
        let (mut i, end) = (
            wrap(start).clamp(lo, hi.max(lo)),
            wrap(end).clamp(lo, hi.max(lo)),
        );
        let mut kept = Vec::new();
        while (step > 0 && i < end) || (step < 0 && i > end) {
            kept.push(i as usize);
            i = i.checked_add(step)?;
        }
        Some(self.pick(axis, &kept, &[kept.len()]))
    }

    /// Elements `indices` along `axis`, which becomes the axes of `shape`.
    fn pick(&self, axis: usize, indices: &[usize], shape: &[usize]) -> Host {
        let inner: usize = self.shape[axis + 1..].iter().product();
        let outer: usize = self.shape[..axis].iter().product();
        let n = self.shape[axis];
        let at: Vec<usize> = (0..outer)
            .flat_map(|o| {
                indices
                    .iter()
                    .flat_map(move |&i| (0..inner).map(move |k| (o * n + i) * inner + k))
            })
            .collect();
        let mut out = self.shape[..axis].to_vec();
        out.extend(shape);
        out.extend(&self.shape[axis + 1..]);
        self.take(out, &at)
    }

    /// None for an index out of range, so that the recorded op reports it.
    pub(crate) fn gather(&self, indices: &Host, axis: usize) -> Option<Host> {
        let n = self.shape[axis] as i64;
        let wanted = indices.as_ints()?;
        let inner: usize = self.shape[axis + 1..].iter().product();
        let outer: usize = self.shape[..axis].iter().product();
        if outer * inner * wanted.len() > MAX_ELEMENTS {
            return None;
        }
        let at = wanted
            .iter()
            .map(|&i| {
                usize::try_from(if i < 0 { i + n } else { i })
                    .ok()
                    .filter(|&i| (i as i64) < n)
            })
            .collect::<Option<Vec<_>>>()?;
        Some(self.pick(axis, &at, &indices.shape))
    }

    pub(crate) fn concat(parts: &[&Host], axis: usize) -> Option<Host> {
        let first = parts.first()?;
        let rank = first.shape.len();
        let joins = |h: &&&Host| {
            h.dtype == first.dtype
                && h.shape.len() == rank
                && (0..rank).all(|i| i == axis || h.shape[i] == first.shape[i])
        };
        if parts.iter().filter(joins).count() != parts.len() || axis >= rank {
            return None;
        }
        let outer: usize = first.shape[..axis].iter().product();
        let mut shape = first.shape.clone();
        shape[axis] = parts.iter().map(|h| h.shape[axis]).sum();
        let chunk = |h: &Host| h.len() / outer.max(1);
        let data = if first.dtype.is_float() {
            let mut out = Vec::new();
            for o in 0..outer {
                for h in parts {
                    let Data::Float(v) = &h.data else { return None };
                    out.extend_from_slice(&v[o * chunk(h)..(o + 1) * chunk(h)]);
                }
            }
            Data::Float(out)
        } else {
            let mut out = Vec::new();
            for o in 0..outer {
                for h in parts {
                    let v = h.as_ints()?;
                    out.extend_from_slice(&v[o * chunk(h)..(o + 1) * chunk(h)]);
                }
            }
            Data::Int(out)
        };
        let joined = Host {
            dtype: first.dtype,
            shape,
            data,
        };
        fits(&joined.shape).then_some(joined)
    }

    /// Sum, product, maximum or minimum of integers over `axes`.
    pub(crate) fn reduce(&self, name: &str, axes: &[usize], keep: bool) -> Option<Host> {
        let Data::Int(values) = &self.data else {
            return None;
        };
        if self.dtype == DType::Bool {
            return None;
        }
        let (init, f): (Option<i64>, fn(i64, i64) -> i64) = match name {
            "sum" => (Some(0), i64::wrapping_add),
            "prod" => (Some(1), i64::wrapping_mul),
            "max" => (None, i64::max),
            "min" => (None, i64::min),
            _ => return None,
        };
        let kept: Vec<usize> = (0..self.shape.len())
            .map(|i| if axes.contains(&i) { 1 } else { self.shape[i] })
            .collect();
        let mut out: Vec<Option<i64>> = vec![init; kept.iter().product()];
        for (&value, at) in values.iter().zip(places(&kept, &self.shape)) {
            out[at] = Some(out[at].map_or(value, |sum| f(sum, value)));
        }
        let shape = if keep {
            kept
        } else {
            (0..self.shape.len())
                .filter(|i| !axes.contains(i))
                .map(|i| self.shape[i])
                .collect()
        };
        let host = Host {
            dtype: self.dtype,
            shape,
            data: Data::Int(out.into_iter().collect::<Option<_>>()?),
        };
        // Back into the dtype's range.
        super::cast(&host, self.dtype)
    }
}

fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i] * shape[i];
    }
    strides
}
