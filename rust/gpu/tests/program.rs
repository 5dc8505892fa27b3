//! Programs as data and files, and their runs.

mod common;

use std::sync::Arc;

use common::{bytes, f32s, gpu, random, values};
use lamina_gpu::{
    Access, Caps, Executable, Gpu, GpuError, IoDecl, Module, Operand, Program, Role, Storage,
    adapters,
    kernels::{ElementCode, elementwise, matmul},
};

/// A change that breaks a program and what is said of it.
type Contradiction<'a> = (&'a dyn Fn(&mut Program), &'a str);

/// y = x w + 1, then z = 2 y s for a scalar s.
fn example(rows: usize) -> Program {
    let caps = Caps::portable();
    let (k, n) = (8, 12);
    let mut program = Program::default();
    let x = program.buffer((4 * rows * k) as u64, Role::Input(0));
    let weights = random(7, k * n);
    let w = program.buffer(
        (4 * k * n) as u64,
        Role::Constant(Arc::from(bytes(&weights))),
    );
    let y = program.buffer((4 * rows * n) as u64, Role::Scratch);
    let s = program.buffer(4, Role::Scalars);
    let z = program.buffer((4 * rows * n) as u64, Role::Output(0));
    let product = matmul(&f32s(&[rows, k]), &f32s(&[k, n]), Storage::F32, None, &caps).unwrap();
    product
        .append_to(&mut program, "matmul", &[x, w], &[y], &[])
        .unwrap();
    let code = ElementCode::new("out0 = 2.0 * (in0 + 1.0) * in1;");
    let scalar = Operand::view(Storage::F32, &[], &[], 0);
    let whole = [f32s(&[rows, n])];
    let inputs = [whole[0].clone(), scalar];
    let scaled = elementwise(&inputs, &whole, &code, &[], &caps).unwrap();
    scaled
        .append_to(&mut program, "scale", &[y, s], &[z], &[])
        .unwrap();
    let io = |name: &str, shape: [usize; 2], buffer| IoDecl {
        name: name.to_owned(),
        dtype: "float32".to_owned(),
        shape: shape.to_vec(),
        buffer,
    };
    program.inputs.push(io("x", [rows, k], x));
    program.outputs.push(io("z", [rows, n], z));
    program.require(&[]);
    program
}

fn expected(rows: usize, x: &[f32], scalar: f32) -> Vec<f64> {
    let w = random(7, 8 * 12);
    let term = |i: usize, j: usize, k: usize| f64::from(x[i * 8 + k]) * f64::from(w[k * 12 + j]);
    let element = |i, j| {
        let sum: f64 = (0..8).map(|k| term(i, j, k)).sum();
        2.0 * (sum + 1.0) * f64::from(scalar)
    };
    (0..rows)
        .flat_map(|i| (0..12).map(move |j| (i, j)))
        .map(|(i, j)| element(i, j))
        .collect()
}

#[test]
fn a_saved_program_runs_the_same() {
    let program = example(5);
    let loaded = Program::from_bytes(&program.to_bytes().unwrap()).unwrap();
    assert_eq!(loaded, program);
    let Some(gpu) = gpu() else { return };
    let x = random(1, 40);
    let input = gpu.upload(bytes(&x)).unwrap();
    let output = gpu.alloc(4 * 60).unwrap();
    for (program, trusted) in [(program, true), (loaded, false)] {
        gpu.write(&output, 0, &[0; 240]).unwrap();
        let executable = Executable::new(&gpu, program, trusted).unwrap();
        let status = executable
            .run(&[&input], &[&output], bytes(&[3.0_f32]))
            .unwrap();
        assert!(status.is_none());
        let got: Vec<f32> = values(&gpu.read(&output, 0, 240).unwrap());
        common::close("replay", &got, &expected(5, &x, 3.0), 1e-6);
    }
}

#[test]
fn damaged_files_are_errors() {
    let whole = example(2).to_bytes().unwrap();
    assert!(Program::from_bytes(&whole).is_ok());
    for length in (0..whole.len()).step_by(37) {
        assert!(
            Program::from_bytes(&whole[..length]).is_err(),
            "cut at {length}"
        );
    }
    for at in (0..whole.len()).step_by(13) {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        assert!(Program::from_bytes(&flipped).is_err(), "flipped at {at}");
    }
}

#[test]
fn contradictions_are_errors() {
    let broken = |change: &dyn Fn(&mut Program)| {
        let mut program = example(2);
        change(&mut program);
        program.validate().unwrap_err().to_string()
    };
    let prefix = "invalid GPU program: ";
    let cases: [Contradiction; 9] = [
        (&|p| p.version = 99, "unknown version"),
        (
            &|p| p.dispatches[0].module = 7,
            "dispatch 0 `matmul`: no module 7",
        ),
        (
            &|p| p.dispatches[1].buffers[0] = 70,
            "dispatch 1 `scale`: no buffer 70",
        ),
        (
            &|p| p.dispatches[0].buffers.truncate(2),
            "dispatch 0 `matmul`: 2 buffers for 3 bindings",
        ),
        (
            &|p| p.dispatches[0].buffers[2] = 1,
            "dispatch 0 `matmul`: writes buffer 1, which is read-only",
        ),
        (
            &|p| p.dispatches[1].buffers[2] = 2,
            "dispatch 1 `scale`: binds buffer 2 twice and writes it",
        ),
        (
            &|p| p.dispatches[0].workgroups[1] = 0,
            "dispatch 0 `matmul`: no workgroups",
        ),
        (
            &|p| p.buffers[1].bytes += 1,
            "constant 1: 384 bytes, declared 385",
        ),
        (&|p| p.inputs[0].buffer = 1, "input 0 `x`: buffer 1"),
    ];
    for (change, message) in cases {
        assert_eq!(broken(change), format!("{prefix}{message}"));
    }
}

#[test]
fn requirements_are_checked() {
    let mut program = example(2);
    program.require(&["shader-f16"]);
    let caps = Caps::portable();
    assert_eq!(
        program.supported_by(&caps).unwrap_err().to_string(),
        "program: needs the feature `shader-f16`, which this adapter lacks"
    );
    program.require(&[]);
    program.supported_by(&caps).unwrap();
    assert_eq!(program.requires.storage_buffers, 3);
    program.requires.binding_bytes = 1 << 40;
    assert!(program.supported_by(&caps).is_err());
}

#[test]
fn threads_share_an_executable() {
    let Some(gpu) = gpu() else { return };
    let executable = Executable::new(&gpu, example(33), true).unwrap();
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let (gpu, executable) = (&gpu, &executable);
            scope.spawn(move || {
                for turn in 0..6_u8 {
                    let x = random(seed * 100 + u64::from(turn), 33 * 8);
                    let scalar = f32::from(turn) + 0.5;
                    let input = gpu.upload(bytes(&x)).unwrap();
                    let output = gpu.alloc(4 * 33 * 12).unwrap();
                    executable
                        .run(&[&input], &[&output], bytes(&[scalar]))
                        .unwrap();
                    let got: Vec<f32> = values(&gpu.read(&output, 0, output.bytes()).unwrap());
                    common::close("thread", &got, &expected(33, &x, scalar), 1e-6);
                }
            });
        }
    });
}

#[test]
fn arguments_are_checked() {
    let Some(gpu) = gpu() else { return };
    let executable = Executable::new(&gpu, example(4), true).unwrap();
    let (input, output) = (gpu.alloc(4 * 32).unwrap(), gpu.alloc(4 * 48).unwrap());
    let failed = |inputs: &[_], outputs: &[_], scalars: &[u8]| {
        executable
            .run(inputs, outputs, scalars)
            .unwrap_err()
            .to_string()
    };
    let prefix = "GPU program run: ";
    assert_eq!(
        failed(&[], &[&output], &[0; 4]),
        format!("{prefix}0 inputs given, 1 wanted")
    );
    assert_eq!(
        failed(&[&input], &[], &[0; 4]),
        format!("{prefix}0 outputs given, 1 wanted")
    );
    assert_eq!(
        failed(&[&input], &[&input], &[0; 4]),
        format!("{prefix}output 0 has 128 bytes, 192 wanted")
    );
    let range = gpu.read(&input, 4, 128).unwrap_err().to_string();
    assert_eq!(range, "GPU buffer access: bytes 4..132 of a buffer of 128");
    assert!(gpu.write(&input, 2, &[0; 4]).is_err());
}

#[test]
fn refused_shaders_name_their_module() {
    let Some(gpu) = gpu() else { return };
    let module = |wgsl: &str| Module {
        name: "plugin.twist".to_owned(),
        wgsl: wgsl.to_owned(),
        entry: "main".to_owned(),
        workgroup_size: [64, 1, 1],
        workgroup_storage: 0,
        has_params: false,
        bindings: vec![Access::ReadWrite],
    };
    let texts = [
        "this is no shader",
        "@compute @workgroup_size(64) fn other() {}",
        "@group(0) @binding(5) var<storage, read_write> x: array<f32>;
         @compute @workgroup_size(64) fn main() { x[0] = 1.0; }",
    ];
    for wgsl in texts {
        let mut program = Program::default();
        program.module(module(wgsl));
        let error = Executable::new(&gpu, program, false).unwrap_err();
        let GpuError::Shader { module, message } = error else {
            panic!("{error}")
        };
        assert_eq!(module, "plugin.twist");
        assert!(!message.is_empty());
    }
    gpu.check().unwrap();
}

#[test]
fn memory_has_a_limit_and_buffers_are_reused() {
    // Its own adapter handle is shared with the other tests, so only differences count.
    let Some(gpu) = gpu() else { return };
    let too_large = gpu.alloc(u64::MAX / 2).unwrap_err();
    assert!(
        matches!(too_large, GpuError::TooLarge { .. }),
        "{too_large}"
    );
    let odd = 7_654_321;
    let first = gpu.alloc(odd).unwrap();
    let id = first.id();
    drop(first);
    let again = gpu.alloc(odd - 1000).unwrap();
    assert_eq!(again.id(), id);
    assert!(gpu.memory().in_use >= odd - 1000);
}

#[test]
fn adapters_open_once() {
    let found = adapters();
    for (index, adapter) in found.iter().enumerate() {
        assert_eq!(adapter.index, index);
        assert_eq!(adapter.is_software(), adapter.caps.software);
    }
    let count = found.len();
    let error = Gpu::open(Some(count + 3), true).unwrap_err();
    assert_eq!(
        error,
        GpuError::NoSuchAdapter {
            index: count + 3,
            count
        }
    );
    if found.iter().all(lamina_gpu::AdapterInfo::is_software) {
        let error = Gpu::open(None, false).unwrap_err();
        assert!(matches!(error, GpuError::NoAdapter(_)), "{error}");
    }
    let Some(gpu) = gpu() else { return };
    assert!(Arc::ptr_eq(
        &gpu,
        &Gpu::open(Some(gpu.info().index), true).unwrap()
    ));
}
