//! Choices by the clock, where the kernels' own models of cost leave two ways
//! close together.  A loaded model's plan asks, once for each distinct size,
//! within a budget; what was found is kept for the machine ([`store`]).
//!
//! One thread measures, so that a choice, and with it the last bits of a
//! result, does not depend on the number of threads.

mod store;

use crate::{Error, Result};
use lamina_kernels::Isa;
use lamina_kernels::conv2d::Conv2dShape;
use lamina_kernels::conv2d::blocked::{
    Algorithm,
    trial::{self, Weights},
};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use store::Store;

const VARIABLE: &str = "LAMINA_TUNE";

/// For a model, where nothing else is asked for.
const BUDGET: Duration = Duration::from_millis(100);

/// None: not read yet.
static STORE: Mutex<Option<Store>> = Mutex::new(None);

/// How long a model may be measured: `LAMINA_TUNE`, `off` or milliseconds.  A
/// library checks this once when it is loaded, so that a mistyped value is an
/// error there.
pub fn budget() -> Result<Duration> {
    match std::env::var_os(VARIABLE) {
        Some(value) => parse(&value.to_string_lossy()),
        None => Ok(BUDGET),
    }
}

fn parse(value: &str) -> Result<Duration> {
    match value.trim() {
        "off" => Ok(Duration::ZERO),
        number => number.parse().map(Duration::from_millis).map_err(|_| {
            Error::argument(format!(
                "{VARIABLE}: got '{value}', wanted 'off' or the milliseconds that a model may be measured for"
            ))
        }),
    }
}

/// For each size the way that was the fastest, now or earlier; None: the model
/// of costs is sure, or there was no time to measure.
pub(crate) fn fastest(shapes: &[Conv2dShape], weights: Weights) -> Result<Vec<Option<Algorithm>>> {
    let budget = budget()?;
    let isa = Isa::current();
    let ways: Vec<Vec<Algorithm>> = shapes.iter().map(|s| Algorithm::close(isa, s)).collect();
    if budget.is_zero() || ways.iter().all(|ways| ways.len() < 2) {
        return Ok(vec![None; shapes.len()]);
    }
    let mut guard = STORE.lock();
    let store = guard.get_or_insert_with(|| Store::of_this_machine(isa));
    let known = |store: &Store, shape: &Conv2dShape, ways: &[Algorithm]| {
        let name = store.get(&describe(shape, weights))?.to_owned();
        ways.iter().copied().find(|way| way.name() == name)
    };
    let mut unknown = BTreeMap::new();
    for (shape, ways) in shapes.iter().zip(&ways) {
        if ways.len() > 1 && known(store, shape, ways).is_none() {
            unknown.insert(describe(shape, weights), (shape, ways));
        }
    }
    if !store.is_full() {
        let found = measure(isa, unknown.into_values().collect(), weights, budget);
        if !found.is_empty() {
            store.add(isa, found);
        }
    }
    let each = shapes.iter().zip(&ways);
    Ok(each.map(|(s, ways)| known(store, s, ways)).collect())
}

/// The fastest of each, the smallest first, until the time is up.
fn measure(
    isa: Isa,
    mut unknown: Vec<(&Conv2dShape, &Vec<Algorithm>)>,
    weights: Weights,
    budget: Duration,
) -> Vec<(String, String)> {
    let until = Instant::now() + budget;
    unknown.sort_by_key(|(shape, _)| shape.output_len() * shape.group_in());
    let mut found = Vec::new();
    for (shape, ways) in unknown {
        let left = until.saturating_duration_since(Instant::now());
        if let Some(way) = trial::fastest(isa, shape, ways, weights, left) {
            found.push((describe(shape, weights), way.name().to_owned()));
        }
    }
    found
}

fn describe(shape: &Conv2dShape, weights: Weights) -> String {
    let Conv2dShape {
        batch,
        in_c,
        in_h,
        in_w,
        out_c,
        kernel_h,
        kernel_w,
        stride: [down, across],
        dilation: [rows, columns],
        pads: [top, left, bottom, right],
        groups,
    } = *shape;
    let far = if weights == Weights::Far { " far" } else { "" };
    format!(
        "conv2d {batch}x{in_c}x{in_h}x{in_w} {out_c}x{kernel_h}x{kernel_w} /{down},{across} :{rows},{columns} +{top},{left},{bottom},{right} %{groups}{far}"
    )
}

#[cfg(test)]
mod tests {
    use super::{Duration, parse};

    #[test]
    fn the_setting_is_off_or_milliseconds() {
        assert_eq!(parse("off").unwrap(), Duration::ZERO);
        assert_eq!(parse(" 250 ").unwrap(), Duration::from_millis(250));
        for value in ["", "on", "-1", "1.5"] {
            assert_eq!(
                parse(value).unwrap_err().message,
                format!(
                    "LAMINA_TUNE: got '{value}', wanted 'off' or the milliseconds that a model may be measured for"
                )
            );
        }
    }
}
