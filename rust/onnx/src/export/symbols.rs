//! Names of sizes that are dynamic.

use super::Recording;
use crate::ir::{Dim, ValueInfo};
use lamina_core::Tensor;

/// The names of dynamic sizes, found again by their two values.
pub(super) struct Symbols<'a> {
    /// Axis, both sizes, name.
    known: Vec<(usize, [usize; 2], &'a str)>,
    dynamic: &'a [(String, usize, String)],
}

impl<'a> Symbols<'a> {
    pub(super) fn new(
        first: &Recording<'_>,
        second: Option<&Recording<'_>>,
        dynamic: &'a [(String, usize, String)],
    ) -> Self {
        let size = |r: &Recording<'_>, name: &str, axis: usize| {
            r.inputs
                .iter()
                .find(|(n, _)| n == name)
                .and_then(|(_, t)| t.shape().get(axis).copied())
        };
        let known = dynamic
            .iter()
            .filter_map(|(name, axis, symbol)| {
                Some((
                    *axis,
                    [size(first, name, *axis)?, size(second?, name, *axis)?],
                    symbol.as_str(),
                ))
            })
            .collect();
        Symbols { known, dynamic }
    }

    pub(super) fn input(&self, name: &str, tensor: &Tensor) -> ValueInfo {
        let symbol = |axis: usize| {
            self.dynamic
                .iter()
                .find(|(n, a, _)| n == name && *a == axis)
                .map(|(_, _, s)| Dim::Named(s.clone()))
        };
        let shape = tensor
            .shape()
            .iter()
            .enumerate()
            .map(|(axis, &n)| symbol(axis).unwrap_or(Dim::Fixed(n)));
        ValueInfo {
            name: name.to_owned(),
            dtype: Some(tensor.dtype()),
            shape: Some(shape.collect()),
            ..ValueInfo::default()
        }
    }

    pub(super) fn info(&self, name: &str, tensor: &Tensor, again: Option<&[usize]>) -> ValueInfo {
        let dim = |axis: usize, a: usize| {
            let b = again.and_then(|s| s.get(axis).copied()).unwrap_or(a);
            if a == b {
                return Dim::Fixed(a);
            }
            let same = |(_, sizes, _): &&(usize, [usize; 2], &str)| *sizes == [a, b];
            let mut found = self.known.iter().filter(same);
            let by_axis = found.clone().find(|(at, ..)| *at == axis);
            by_axis
                .or_else(|| found.next())
                .map_or(Dim::Unknown, |(_, _, symbol)| {
                    Dim::Named((*symbol).to_owned())
                })
        };
        let shape = tensor
            .shape()
            .iter()
            .enumerate()
            .map(|(axis, &a)| dim(axis, a))
            .collect();
        ValueInfo {
            name: name.to_owned(),
            dtype: Some(tensor.dtype()),
            shape: Some(shape),
            ..ValueInfo::default()
        }
    }
}
