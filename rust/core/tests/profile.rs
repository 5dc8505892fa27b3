//! Timed runs: what is told of each step, and that values stay what they are.

mod common;

use common::{devices, message, one, ramp};
use lamina_core::profile::{Profile, Span, profile};
use lamina_core::{Attrs, DType, Device, Tensor, compile};

/// A product with its tail, then something that does not fuse.
fn network(x: &Tensor, device: Device) -> Tensor {
    let product = one(
        "matmul",
        &[x.clone(), ramp(2, &[8, 5], device)],
        &Attrs::new(),
    );
    one(
        "softmax",
        &[one("relu", &[product], &Attrs::new())],
        &Attrs::new(),
    )
}

fn holds(inner: Span, outer: Span) -> bool {
    let end = |span: Span| span.start + span.seconds;
    outer.start <= inner.start && end(inner) <= end(outer)
}

fn check(profile: &Profile, device: Device) {
    assert!(profile.total() > 0.0);
    let times = profile.step_seconds();
    assert_eq!(times.len(), profile.steps.len());
    for run in &profile.runs {
        assert_eq!(run.steps.len(), profile.steps.len());
        assert!(run.parts.iter().all(|&part| holds(part, run.whole)));
        if device != Device::Cpu {
            continue;
        }
        let steps: Vec<Span> = run.steps.iter().map(|step| step.unwrap()).collect();
        assert!(steps.iter().all(|&step| holds(step, run.parts[0])));
        assert!(steps.windows(2).all(|two| two[0].start <= two[1].start));
    }
    if device == Device::Cpu {
        assert!(times.iter().all(Option::is_some));
    }
    // A GPU tells of all steps or of none.
    assert_eq!(
        times.iter().flatten().count() % times.len().max(1),
        0,
        "{times:?}"
    );
}

#[test]
fn a_compiled_plan() {
    for device in devices() {
        let x = Tensor::placeholder(DType::F32, &[3, 8], device);
        let y = network(&x, device);
        let plan = compile(&[x], &[y]).unwrap();
        let given = [ramp(1, &[3, 8], device).value().unwrap()];
        let found = plan.profile(&given, 3).unwrap();
        assert_eq!(found.runs.len(), 3);
        assert_eq!(found.steps.len(), plan.plan().steps().len());
        check(&found, device);
        let starts: Vec<f64> = found.runs.iter().map(|run| run.whole.start).collect();
        assert!(starts[0] < starts[1] && starts[1] < starts[2]);
        assert_eq!(
            message(plan.profile(&given, 0)),
            "profile: runs is 0, wanted 1 or more"
        );
    }
}

#[test]
fn recorded_values_are_computed() {
    for device in devices() {
        let y = network(&ramp(1, &[3, 8], device), device);
        let wanted = network(&ramp(1, &[3, 8], device), device);
        let found = profile(std::slice::from_ref(&y)).unwrap().unwrap();
        assert_eq!(found.runs.len(), 1);
        check(&found, device);
        assert!(!y.is_pending());
        assert_eq!(y.to_vec::<f32>().unwrap(), wanted.to_vec::<f32>().unwrap());
        assert!(profile(&[y]).unwrap().is_none());
    }
}
