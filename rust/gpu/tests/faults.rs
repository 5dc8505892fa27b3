//! What fails on a device is an error of ours, and what comes after it works.

mod common;

use std::sync::Arc;

use common::{bytes, gpu, values};
use lamina_gpu::{Access, Dispatch, Executable, Gpu, GpuError, Module, Program, Role};

/// y = x + 1 on 64 numbers, with `extra` in its module.
fn program(extra: &str) -> Program {
    let wgsl = format!(
        "@group(0) @binding(0) var<storage, read> x: array<f32>;
        @group(0) @binding(1) var<storage, read_write> y: array<f32>;
        {extra}
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {{ y[id.x] = x[id.x] + 1.0; }}"
    );
    let mut program = Program::default();
    let input = program.buffer(256, Role::Input(0));
    let output = program.buffer(256, Role::Output(0));
    let module = program.module(Module {
        name: "plus_one".to_owned(),
        wgsl,
        entry: "main".to_owned(),
        workgroup_size: [64, 1, 1],
        workgroup_storage: 0,
        has_params: false,
        bindings: vec![Access::Read, Access::ReadWrite],
    });
    program.dispatches.push(Dispatch {
        label: "plus_one".to_owned(),
        module,
        params: Vec::new(),
        buffers: vec![input, output],
        workgroups: [1, 1, 1],
    });
    program.require(&[]);
    program
}

/// The device computes.
fn works(gpu: &Arc<Gpu>) -> Result<(), GpuError> {
    let executable = Executable::new(gpu, program(""), false)?;
    let x: Vec<f32> = (0..64).map(|i| i as f32).collect();
    let input = gpu.upload(bytes(&x))?;
    let output = gpu.alloc(256)?;
    executable.run(&[&input], &[&output], &[])?;
    let got: Vec<f32> = values(&gpu.read(&output, 0, 256)?);
    assert!(got.iter().zip(&x).all(|(y, x)| *y == x + 1.0));
    Ok(())
}

#[track_caller]
fn failed<T>(result: Result<T, GpuError>) -> GpuError {
    match result {
        Ok(_) => panic!("it did not fail"),
        Err(error) => error,
    }
}

// One after the other: they share a device, and the last one ends it.
#[test]
fn faults_are_errors_and_the_device_goes_on() {
    let Some(gpu) = gpu() else { return };
    works(&gpu).unwrap();

    gpu.set_memory_limit(gpu.memory().in_use + (1 << 20));
    let error = failed(gpu.alloc(1 << 22));
    assert!(matches!(error, GpuError::OutOfMemory { .. }), "{error}");
    works(&gpu).unwrap();
    gpu.set_memory_limit(u64::MAX);
    gpu.alloc(1 << 22).unwrap();

    for size in [gpu.caps().max_buffer_bytes.saturating_add(1), u64::MAX] {
        let error = failed(gpu.alloc(size));
        assert!(matches!(error, GpuError::TooLarge { .. }), "{error}");
    }
    works(&gpu).unwrap();

    let shared = "var<workgroup> much: array<f32, 16777216>;
        fn f() -> f32 { return much[0]; }";
    let used = program(shared);
    let mut modules = used.modules.clone();
    modules[0].wgsl = modules[0].wgsl.replace("+ 1.0", "+ f()");
    let bad = Program { modules, ..used };
    for program in [
        bad,
        program("what is this?"),
        program("fn g() { let a = b; }"),
    ] {
        let error = failed(Executable::new(&gpu, program, false));
        assert!(matches!(error, GpuError::Shader { .. }), "{error}");
        works(&gpu).unwrap();
    }

    let (held, executable) = (
        gpu.alloc(256).unwrap(),
        Executable::new(&gpu, program(""), true),
    );
    let executable = executable.unwrap();
    gpu.destroy();
    let errors = [
        failed(gpu.alloc(256)),
        failed(gpu.read(&held, 0, 256)),
        failed(gpu.write(&held, 0, &[0; 256])),
        failed(executable.run(&[&held], &[&held], &[])),
        failed(works(&gpu)),
    ];
    for error in errors {
        assert!(matches!(error, GpuError::Lost(_)), "{error}");
    }
    let again = Gpu::open(Some(gpu.info().index), true).unwrap();
    works(&again).unwrap();
    drop((held, executable));
    works(&again).unwrap();
}
