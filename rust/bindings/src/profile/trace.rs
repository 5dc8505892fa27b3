//! A profile as Chrome's trace events, which Perfetto reads.

use super::PyProfile;
use lamina_core::StepInfo;
use lamina_core::profile::{Run, Span};
use serde_json::{Value, json};

/// The whole process; its tracks are numbered as Chrome numbers threads.
const PROCESS: u32 = 1;

/// The track of whole runs; the parts' follow it.
const RUNS: usize = 0;

pub fn json(profile: &PyProfile) -> String {
    let steps = &profile.profile.steps;
    let mut events = vec![
        name("process_name", RUNS, "lamina"),
        name("thread_name", RUNS, "runs"),
    ];
    let parts = profile.parts();
    events.extend(parts.iter().enumerate().map(|(part, (device, _))| {
        name(
            "thread_name",
            track(part),
            &format!("{device}, part {part}"),
        )
    }));
    for (number, run) in profile.profile.runs.iter().enumerate() {
        events.extend(of_run(number, run, steps));
    }
    let machine = profile.machine.map(|machine| {
        json!({
            "isa": machine.isa.name(),
            "threads": machine.threads,
            "flops_per_second": machine.flops_per_second,
            "bytes_per_second": machine.bytes_per_second,
        })
    });
    json!({
        "displayTimeUnit": "ms",
        "otherData": { "version": env!("CARGO_PKG_VERSION"), "machine": machine },
        "traceEvents": events,
    })
    .to_string()
}

/// An enclosing event stands before those within it.
fn of_run<'a>(
    number: usize,
    run: &'a Run,
    steps: &'a [StepInfo],
) -> impl Iterator<Item = Value> + 'a {
    let whole = complete("run", &format!("run {number}"), RUNS, run.whole, json!({}));
    let parts = run.parts.iter().enumerate().map(move |(part, &span)| {
        let own = steps.iter().filter(|step| step.place.0 == part);
        let (count, flops, bytes) = own.fold((0, 0, 0), |(count, flops, bytes), step| {
            (count + 1, flops + step.flops, bytes + step.bytes)
        });
        let args = json!({ "steps": count, "flops": flops, "bytes": bytes });
        complete("part", &format!("part {part}"), track(part), span, args)
    });
    let steps = steps.iter().zip(&run.steps).filter_map(|(step, span)| {
        let args = json!({
            "op": step.op,
            "kernel": step.kernel,
            "device": step.device.to_string(),
            "shape": step.shape,
            "dtype": step.dtype,
            "flops": step.flops,
            "bytes": step.bytes,
            "params": step.params,
            "site": step.site,
        });
        let track = track(step.place.0);
        Some(complete("step", &step.kernel, track, (*span)?, args))
    });
    std::iter::once(whole).chain(parts).chain(steps)
}

fn track(part: usize) -> usize {
    RUNS + 1 + part
}

fn name(kind: &str, track: usize, name: &str) -> Value {
    json!({ "ph": "M", "name": kind, "pid": PROCESS, "tid": track, "args": { "name": name } })
}

/// An event with its beginning and its length in microseconds.  Both ends are
/// rounded alike, so that what lies within another still does.
fn complete(category: &str, name: &str, track: usize, span: Span, args: Value) -> Value {
    let nanos = |seconds: f64| (seconds * 1e9).round();
    let (start, end) = (nanos(span.start), nanos(span.start + span.seconds));
    json!({
        "ph": "X",
        "cat": category,
        "name": name,
        "pid": PROCESS,
        "tid": track,
        "ts": start / 1e3,
        "dur": (end - start) / 1e3,
        "args": args,
    })
}
