//! Elementwise chains against loops.

mod common;

use common::{at, bytes, f32s, gpu, indices, random, run, validate, values};
use lamina_gpu::{
    Caps, Operand, Storage,
    kernels::{ElementCode, Kernels, elementwise},
};

fn chain(inputs: &[Operand], output: &Operand, code: &str) -> Kernels {
    let outputs = std::slice::from_ref(output);
    elementwise(
        inputs,
        outputs,
        &ElementCode::new(code),
        &[],
        &Caps::portable(),
    )
    .unwrap()
}

#[test]
fn broadcast_strided_and_offset_inputs() {
    let Some(gpu) = gpu() else { return };
    let data = random(1, 4000);
    let shapes: [&[usize]; 7] = [
        &[1],
        &[7],
        &[31, 33],
        &[2, 3, 4],
        &[5, 1, 8],
        &[3, 2, 1, 12],
        &[2, 3, 2, 3, 2],
    ];
    for shape in shapes {
        let whole = f32s(shape);
        let inner = *shape.last().unwrap();
        let row = Operand::view(Storage::F32, &[inner], &[1], 8);
        let flipped = Operand::view(
            Storage::F32,
            shape,
            &whole.strides.iter().map(|s| -s).collect::<Vec<_>>(),
            whole.size() - 1 + 3,
        );
        let scalar = Operand::view(Storage::F32, &[], &[], 5);
        let mut transposed = whole.clone();
        transposed.shape.reverse();
        transposed = f32s(&transposed.shape);
        transposed.strides.reverse();
        transposed.shape.reverse();
        let inputs = [whole.clone(), row, flipped, scalar, transposed];
        let code = "out0 = in0 + 10.0 * in1 + 100.0 * in2 + 1000.0 * in3 + 10000.0 * in4;";
        let kernels = chain(&inputs, &whole, code);
        let data = [bytes(&data); 5];
        let got = run(&gpu, &kernels, &data, &[], &[4 * whole.size() as u64]).unwrap();
        let source: Vec<f32> = values(data[0]);
        for (i, index) in indices(shape).iter().enumerate() {
            let mut wanted = 0.0;
            for (input, scale) in inputs.iter().zip([1.0, 10.0, 100.0, 1000.0, 10000.0]) {
                wanted += f64::from(source[at(input, index)]) * scale;
            }
            let got = f64::from(values::<f32>(&got[0])[i]);
            assert!(
                (got - wanted).abs() < 2e-3,
                "{shape:?} {index:?}: {got} {wanted}"
            );
        }
    }
}

#[test]
fn every_storage_passes_through() {
    let Some(gpu) = gpu() else { return };
    for storage in Storage::ALL {
        for (shape, reversed) in [
            (&[1][..], false),
            (&[13], false),
            (&[3, 5], true),
            (&[4, 8], true),
        ] {
            let size: usize = shape.iter().product();
            let mut source: Vec<u8> = (0..size * storage.bytes())
                .map(|i| (i * 37 + 11) as u8)
                .collect();
            match storage {
                Storage::Bool => source.iter_mut().for_each(|b| *b &= 1),
                // No NaN: its payload need not survive.
                Storage::F32 => source.chunks_mut(4).for_each(|c| c[3] &= 0xbf),
                Storage::F16 => source.chunks_mut(2).for_each(|c| c[1] &= 0xbf),
                Storage::BF16 => source.chunks_mut(2).for_each(|c| c[1] &= 0xbf),
                _ => {}
            }
            let mut input = Operand::contiguous(storage, shape);
            if reversed {
                input.strides = input.strides.iter().map(|s| -s).collect();
                input.offset = size - 1;
            }
            let output = Operand::contiguous(storage, shape);
            let kernels = chain(&[input], &output, "out0 = in0;");
            let got = run(&gpu, &kernels, &[&source], &[], &[source.len() as u64]).unwrap();
            let mut wanted: Vec<&[u8]> = source.chunks(storage.bytes()).collect();
            if reversed {
                wanted.reverse();
            }
            assert_eq!(got[0], wanted.concat(), "{storage:?} {shape:?}");
        }
    }
}

#[test]
fn halves_round_to_nearest_even() {
    let Some(gpu) = gpu() else { return };
    let mut source = random(3, 3000);
    let edges = [
        0.0,
        -0.0,
        65504.0,
        65519.9,
        65520.0,
        1e9,
        f32::INFINITY,
        f32::NAN,
        5.96e-8,
        2.98e-8,
        2.99e-8,
        6.1e-5,
        1.0 + 1.0 / 2048.0,
        1.0 + 3.0 / 2048.0,
        1e-30,
        -6.0e-6,
        8.96e-8,
    ];
    source.extend(edges);
    source.extend(random(4, 3000).iter().map(|x| x * 1e-5));
    let n = source.len();
    for storage in [Storage::F16, Storage::BF16] {
        let output = Operand::contiguous(storage, &[n]);
        let kernels = chain(&[f32s(&[n])], &output, "out0 = in0;");
        let got = run(&gpu, &kernels, &[bytes(&source)], &[], &[2 * n as u64]).unwrap();
        for (&value, got) in source.iter().zip(values::<u16>(&got[0])) {
            let wanted = match storage {
                Storage::F16 => half::f16::from_f32(value).to_bits(),
                _ => half::bf16::from_f32(value).to_bits(),
            };
            assert_eq!(got, wanted, "{storage:?} of {value}");
        }
    }
}

#[test]
fn outputs_over_inputs_and_shared_buffers() {
    let Some(gpu) = gpu() else { return };
    let n = 1037;
    let wide = Operand::contiguous(Storage::I64, &[n]);
    for (a, storage_bytes) in [(f32s(&[n]), 4), (wide, 8)] {
        let scalars = |offset, shares| Operand {
            shares,
            ..Operand::view(Storage::F32, &[], &[], offset)
        };
        let inputs = [a.clone(), scalars(1, None), scalars(2, Some(1))];
        let code = match a.storage {
            Storage::F32 => "out0 = in0 * in1 + in2;",
            _ => "out0 = vec2<u32>(in0.x + u32(in1), in0.y + u32(in2));",
        };
        let outputs = [a.clone()];
        let code = ElementCode::new(code);
        let kernels = elementwise(&inputs, &outputs, &code, &[Some(0)], &Caps::portable()).unwrap();
        validate(&kernels);
        assert_eq!(kernels.dispatches[0].args.len(), 2);
        let mut program = lamina_gpu::Program::default();
        let bytes_in_all = (n * storage_bytes) as u64;
        let x = program.buffer(bytes_in_all, lamina_gpu::Role::Output(0));
        let s = program.buffer(12, lamina_gpu::Role::Scalars);
        kernels
            .append_to(&mut program, "step", &[x, s], &[x], &[])
            .unwrap();
        let executable = lamina_gpu::Executable::new(&gpu, program, true).unwrap();
        let words = n * storage_bytes / 4;
        let source: Vec<u32> = match a.storage {
            Storage::F32 => random(9, words).iter().map(|x| x.to_bits()).collect(),
            _ => (0..words as u32).collect(),
        };
        let buffer = gpu.upload(bytes(&source)).unwrap();
        executable
            .run(&[], &[&buffer], bytes(&[0.0_f32, 3.0, 7.0]))
            .unwrap();
        let got: Vec<u32> = values(&gpu.read(&buffer, 0, bytes_in_all).unwrap());
        for (i, (&got, &was)) in got.iter().zip(&source).enumerate() {
            let wanted = match a.storage {
                Storage::F32 => (f32::from_bits(was) * 3.0 + 7.0).to_bits(),
                _ => was + [3, 7][i % 2],
            };
            let close = (f32::from_bits(got) - f32::from_bits(wanted)).abs() < 1e-5;
            assert!(got == wanted || close, "{i}");
        }
    }
}

#[test]
fn many_workgroups_fold() {
    let Some(gpu) = gpu() else { return };
    let n = 65_536 * 4 * 256 + 5;
    let output = Operand::contiguous(Storage::U8, &[n]);
    let kernels = chain(&[], &output, "out0 = index % 251u;");
    assert!(kernels.dispatches[0].workgroups[1] > 1);
    let got = run(&gpu, &kernels, &[], &[], &[n as u64]).unwrap();
    assert!(
        got[0]
            .iter()
            .enumerate()
            .all(|(i, &b)| b as usize == i % 251)
    );
}

#[test]
fn what_does_not_fit_is_an_error() {
    let caps = Caps::portable();
    let code = ElementCode::new("out0 = in0;");
    let refused = |inputs: &[Operand], outputs: &[Operand], in_place: &[Option<usize>]| {
        elementwise(inputs, outputs, &code, in_place, &caps)
            .unwrap_err()
            .to_string()
    };
    let message = refused(&[f32s(&[3])], &[f32s(&[2])], &[]);
    assert_eq!(
        message,
        "elementwise: an operand of shape [3] cannot be seen as [2]"
    );
    assert!(refused(&[], &[], &[]).contains("no output"));
    assert!(refused(&[f32s(&[1])], &[f32s(&[2])], &[Some(0)]).contains("over input 0"));
    let beyond = Operand::view(Storage::F32, &[2], &[-1], 0);
    assert!(refused(&[beyond], &[f32s(&[2])], &[]).contains("reaches elements -1"));
    let empty = elementwise(&[f32s(&[0])], &[f32s(&[0])], &code, &[], &caps).unwrap();
    assert!(empty.dispatches.is_empty());
}
