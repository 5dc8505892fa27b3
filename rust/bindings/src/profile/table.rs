//! A profile as text: the steps in the order of the run, then a summary.

use super::{PyProfile, stem};
use crate::text::{binary, columns};
use std::fmt::Write;

const STEPS: [&str; 11] = [
    "kernel",
    "device",
    "result",
    "ms",
    "%",
    "Gflop/s",
    "% of peak",
    "moved",
    "GB/s",
    "% of memory",
    "where",
];

pub fn text(profile: &PyProfile) -> String {
    if profile.profile.steps.is_empty() {
        return "nothing was left to compute".to_owned();
    }
    let whole: f64 = profile.seconds.iter().flatten().sum();
    let mut text = steps(profile, whole);
    text.push('\n');
    if whole > 0.0 {
        text.push_str(&ops(profile, whole));
        text.push('\n');
    }
    let _ = write!(text, "{} ms a run", milli(profile.profile.total()));
    match profile.profile.runs.len() {
        1 => {}
        runs => {
            let _ = write!(text, " (the median of {runs})");
        }
    }
    if whole > 0.0 {
        let _ = write!(text, ", of which steps {} ms", milli(whole));
    }
    text.push('\n');
    let parts = profile.parts();
    for (part, (device, seconds)) in parts.iter().enumerate() {
        if parts.len() > 1 || device != "cpu" {
            let _ = writeln!(text, "part {part} on {device}: {} ms", milli(*seconds));
        }
    }
    if let Some(machine) = &profile.machine {
        let _ = writeln!(
            text,
            "the CPU ({}, {} threads) can do {:.1} Gflop/s in float32 and read {:.1} GB/s from memory",
            machine.isa,
            machine.threads,
            machine.flops_per_second / 1e9,
            machine.bytes_per_second / 1e9,
        );
    }
    if profile.seconds.iter().any(Option::is_none) {
        text.push_str("this GPU has no timestamps: its parts are timed as wholes\n");
    }
    for fallback in &profile.profile.fallbacks {
        let _ = writeln!(text, "on the CPU: {fallback}");
    }
    text.truncate(text.trim_end().len());
    text
}

fn steps(profile: &PyProfile, whole: f64) -> String {
    let mut rows = vec![STEPS.map(str::to_owned)];
    rows.extend(profile.rates().map(|(step, rates)| {
        let giga = |rate: Option<f64>| number(rate.map(|r| r / 1e9), 1);
        let flops = |text: String| if step.flops == 0 { String::new() } else { text };
        let percent = |share: Option<f64>| number(share.map(|s| 100.0 * s), 0);
        [
            step.kernel.clone(),
            step.device.to_string(),
            format!("{}{:?}", step.dtype, step.shape),
            rates.seconds.map_or_else(String::new, milli),
            number(rates.seconds.map(|s| 100.0 * s / whole), 1),
            flops(giga(rates.flops_per_second)),
            flops(percent(rates.of_peak)),
            binary(step.bytes),
            giga(rates.bytes_per_second),
            percent(rates.of_bandwidth),
            step.site.clone().unwrap_or_default(),
        ]
    }));
    columns(&rows, &[3, 4, 5, 6, 7, 8, 9])
}

fn ops(profile: &PyProfile, whole: f64) -> String {
    let mut rows = vec![["op", "steps", "ms", "%"].map(str::to_owned)];
    rows.extend(profile.of_ops().into_iter().map(|(op, seconds)| {
        let steps = profile.profile.steps.iter();
        let count = steps.filter(|step| stem(step) == op).count();
        let share = number(Some(100.0 * seconds / whole), 1);
        [op, count.to_string(), milli(seconds), share]
    }));
    columns(&rows, &[1, 2, 3])
}

fn milli(seconds: f64) -> String {
    format!("{:.3}", seconds * 1e3)
}

fn number(value: Option<f64>, digits: usize) -> String {
    value
        .filter(|v| v.is_finite())
        .map_or_else(String::new, |v| format!("{v:.digits$}"))
}
