//! What the kernel tests share: an adapter, a way to run kernels once, data, comparison.
#![allow(dead_code)] // each test file uses its part

use std::sync::Arc;

use lamina_gpu::{
    Caps, Executable, Gpu, GpuError, Operand, Program, Role, Storage, adapters, kernels::Kernels,
};

/// The adapter to test on.  Without one the test says so and returns, but in CI it fails.
pub fn gpu() -> Option<Arc<Gpu>> {
    match Gpu::open(None, true) {
        Ok(gpu) => Some(gpu),
        Err(error) if std::env::var("CI").is_ok_and(|ci| ci == "true") => {
            panic!("CI needs a GPU adapter: {error}; found {:?}", adapters())
        }
        Err(error) => {
            println!("not run: {error}");
            None
        }
    }
}

/// Parses and validates WGSL as a portable implementation would.
pub fn validate(kernels: &Kernels) {
    for dispatch in &kernels.dispatches {
        let wgsl = &dispatch.module.wgsl;
        let module = naga::front::wgsl::parse_str(wgsl)
            .unwrap_or_else(|e| panic!("{}\n{}", numbered(wgsl), e.emit_to_string(wgsl)));
        let mut validator = naga::valid::Validator::new(
            naga::valid::ValidationFlags::all(),
            naga::valid::Capabilities::empty(),
        );
        validator
            .validate(&module)
            .unwrap_or_else(|e| panic!("{}\n{}", numbered(wgsl), e.emit_to_string(wgsl)));
        let declared: u32 = dispatch.module.workgroup_size.iter().product();
        let portable = Caps::portable();
        assert!(declared <= portable.max_invocations);
        assert!(dispatch.module.workgroup_storage <= portable.max_workgroup_storage);
        let mut layouter = naga::proc::Layouter::default();
        layouter.update(module.to_ctx()).unwrap();
        let shared: u32 = (module.global_variables.iter())
            .filter(|(_, v)| v.space == naga::AddressSpace::WorkGroup)
            .map(|(_, v)| layouter[v.ty].size)
            .sum();
        assert_eq!(
            shared, dispatch.module.workgroup_storage,
            "{}",
            dispatch.module.name
        );
        assert_eq!(
            module.entry_points[0].workgroup_size,
            dispatch.module.workgroup_size
        );
    }
}

fn numbered(wgsl: &str) -> String {
    let number = |(i, line)| format!("{:4} {line}", i + 1);
    wgsl.lines()
        .enumerate()
        .map(number)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Runs kernels once on inputs and extras given as bytes; the bytes of each output.
pub fn run(
    gpu: &Arc<Gpu>,
    kernels: &Kernels,
    inputs: &[&[u8]],
    extras: &[&[u8]],
    outputs: &[u64],
) -> Result<Vec<Vec<u8>>, GpuError> {
    validate(kernels);
    let mut program = Program::default();
    let mut number = 0;
    let mut declare = |program: &mut Program, data: &[u8]| {
        number += 1;
        program.buffer(data.len() as u64, Role::Input(number - 1))
    };
    let input_ids: Vec<_> = inputs.iter().map(|d| declare(&mut program, d)).collect();
    let extra_ids: Vec<_> = extras.iter().map(|d| declare(&mut program, d)).collect();
    let output_ids: Vec<_> = (outputs.iter().enumerate())
        .map(|(i, &bytes)| program.buffer(bytes, Role::Output(i)))
        .collect();
    kernels.append_to(&mut program, "test", &input_ids, &output_ids, &extra_ids)?;
    let executable = Executable::new(gpu, program, true)?;
    let uploaded = (inputs.iter().chain(extras))
        .map(|data| gpu.upload(data))
        .collect::<Result<Vec<_>, _>>()?;
    let results = (outputs.iter())
        .map(|&bytes| gpu.upload(&vec![0xcd; bytes as usize]))
        .collect::<Result<Vec<_>, _>>()?;
    let status = executable.run(
        &uploaded.iter().collect::<Vec<_>>(),
        &results.iter().collect::<Vec<_>>(),
        &[],
    )?;
    if let Some(status) = status {
        assert_eq!(gpu.read(&status, 0, 4)?, [0; 4], "status");
    }
    results.iter().map(|r| gpu.read(r, 0, r.bytes())).collect()
}

pub fn bytes<T: bytemuck::NoUninit>(data: &[T]) -> &[u8] {
    bytemuck::cast_slice(data)
}

pub fn values<T: bytemuck::Pod>(bytes: &[u8]) -> Vec<T> {
    bytemuck::pod_collect_to_vec(bytes)
}

/// Numbers in -1..1 that a seed fixes.
pub fn random(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 40) as f32) / (1_u64 << 23) as f32 - 1.0
    };
    (0..count).map(next).collect()
}

/// Whole numbers in -`most`..=`most`.
pub fn whole(seed: u64, count: usize, most: f32) -> Vec<i16> {
    let round = |x: f32| (x * most).round() as i16;
    random(seed, count).into_iter().map(round).collect()
}

/// Every index of a shape, in row-major order.
pub fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for &n in shape {
        all = (all.into_iter())
            .flat_map(|index| (0..n).map(move |i| [index.as_slice(), &[i]].concat()))
            .collect();
    }
    all
}

/// The element number of an index into a view broadcast against it.
pub fn at(operand: &Operand, index: &[usize]) -> usize {
    let skip = index.len() - operand.shape.len();
    let step = |(i, (&n, &s)): (usize, (&usize, &isize))| {
        if n == 1 {
            0
        } else {
            index[skip + i] as isize * s
        }
    };
    let axes = operand.shape.iter().zip(&operand.strides).enumerate();
    (operand.offset as isize + axes.map(step).sum::<isize>()) as usize
}

/// Whether `got` is `wanted` within `tolerance`, relative to the largest of them.
pub fn close(what: &str, got: &[f32], wanted: &[f64], tolerance: f64) {
    assert_eq!(got.len(), wanted.len(), "{what}");
    let scale = wanted.iter().fold(1e-30_f64, |m, w| m.max(w.abs()));
    for (i, (&g, &w)) in got.iter().zip(wanted).enumerate() {
        let error = (f64::from(g) - w).abs() / scale;
        assert!(
            error <= tolerance,
            "{what}: element {i}: got {g}, wanted {w}"
        );
    }
}

pub fn f32s(shape: &[usize]) -> Operand {
    Operand::contiguous(Storage::F32, shape)
}
