//! A steady state creates nothing.  Alone in its process, since the counters are the process's.

mod common;

use common::{bytes, f32s, gpu, values};
use lamina_gpu::{
    Caps, Executable, Operand, Program, Role, Storage, counters,
    kernels::{ElementCode, elementwise},
};

#[test]
fn a_training_like_step_creates_nothing_from_the_third_on() {
    let Some(gpu) = gpu() else { return };
    let n = 1000;
    let scalar = Operand::view(Storage::F32, &[], &[], 0);
    let inputs = [f32s(&[n]), f32s(&[n]), scalar];
    let code = ElementCode::new("out0 = in0 - in2 * in1;");
    let step = elementwise(&inputs, &[f32s(&[n])], &code, &[Some(0)], &Caps::portable()).unwrap();
    let mut program = Program::default();
    let p = program.buffer(4 * n as u64, Role::Output(0));
    let g = program.buffer(4 * n as u64, Role::Input(0));
    let s = program.buffer(4, Role::Scalars);
    step.append_to(&mut program, "sgd", &[p, g, s], &[p], &[])
        .unwrap();
    let executable = Executable::new(&gpu, program, true).unwrap();
    let weight = gpu.upload(bytes(&vec![1.0_f32; n])).unwrap();
    let mut after = Vec::new();
    for _ in 0..6 {
        let gradient = gpu.upload(bytes(&vec![0.5_f32; n])).unwrap();
        executable
            .run(&[&gradient], &[&weight], bytes(&[0.25_f32]))
            .unwrap();
        let first: Vec<f32> = values(&gpu.read(&weight, 0, 4).unwrap());
        after.push((counters(), first[0]));
    }
    for (step, (count, value)) in after.iter().enumerate() {
        assert_eq!(*value, 1.0 - 0.125 * (step + 1) as f32);
        if step >= 2 {
            let mut expected = after[1].0;
            expected.submissions = count.submissions;
            assert_eq!(*count, expected, "step {step}");
        }
    }
    assert_eq!(after[5].0.bind_groups, 1);
}
