//! Reading by index and summing by index, against loops.

mod common;

use common::{bytes, close, gpu, random, run, values};
use lamina_gpu::{
    Caps, Executable, Operand, Program, Role, Storage,
    kernels::{Put, gather, gather_backward, scatter, take, take_backward},
};

/// (outer, axis, inner), and how many indices.
const CASES: &[([usize; 3], usize)] = &[
    ([1, 1, 1], 1),
    ([1, 5, 1], 33),
    ([2, 7, 3], 4),
    ([3, 31, 33], 65),
    ([1, 4, 130], 300),
    ([2, 3, 1], 0),
];

fn numbers(count: usize, axis: usize) -> Vec<i64> {
    let spread = |i: usize| (i * 7919 + 13) % (2 * axis);
    (0..count).map(|i| spread(i) as i64 - axis as i64).collect()
}

fn index_bytes(storage: Storage, numbers: &[i64]) -> Vec<u8> {
    match storage {
        Storage::I64 => bytes(numbers).to_vec(),
        _ => bytes(&numbers.iter().map(|&n| n as i32).collect::<Vec<_>>()).to_vec(),
    }
}

fn wrapped(number: i64, axis: usize) -> usize {
    number.rem_euclid(axis as i64) as usize
}

#[test]
fn take_and_gather_read_where_the_indices_say() {
    let Some(gpu) = gpu() else { return };
    for &([outer, axis, inner], count) in CASES {
        for (storage, wide) in [
            (Storage::F32, true),
            (Storage::U8, false),
            (Storage::I64, true),
            (Storage::F16, false),
        ] {
            let size = storage.bytes();
            let shape = [outer, axis, inner];
            let mut x = Operand::contiguous(storage, &shape);
            x.offset = 2;
            let source: Vec<u8> = (0..(x.size() + 2) * size)
                .map(|i| (i * 31 % 253) as u8)
                .collect();
            let kind = if wide { Storage::I64 } else { Storage::I32 };
            for each in [false, true] {
                let index_shape = if each {
                    vec![outer, count, inner]
                } else {
                    vec![count]
                };
                let index = Operand::contiguous(kind, &index_shape);
                let picks = numbers(index.size(), axis);
                let kernels = if each {
                    gather(&x, &index, 1, &Caps::portable())
                } else {
                    take(&x, &index, 1, &Caps::portable())
                };
                let mut wanted = Vec::new();
                for o in 0..outer {
                    for k in 0..count {
                        for i in 0..inner {
                            let pick = if each {
                                picks[(o * count + k) * inner + i]
                            } else {
                                picks[k]
                            };
                            let at = 2 + (o * axis + wrapped(pick, axis)) * inner + i;
                            wanted.extend_from_slice(&source[at * size..(at + 1) * size]);
                        }
                    }
                }
                let data = [source.as_slice(), &index_bytes(kind, &picks)];
                let got = run(&gpu, &kernels.unwrap(), &data, &[], &[wanted.len() as u64]).unwrap();
                assert_eq!(got[0], wanted, "{storage:?} {shape:?} {count} {each}");
            }
        }
    }
}

#[test]
fn gradients_sum_where_the_indices_say() {
    let Some(gpu) = gpu() else { return };
    for &([outer, axis, inner], count) in CASES {
        let g_shape = [outer, count, inner];
        let g = random(5, outer * count * inner);
        let whole: Vec<i64> = (0..g.len() as i64).map(|i| (i << 33) + i).collect();
        for each in [false, true] {
            let index_shape = if each { g_shape.to_vec() } else { vec![count] };
            let index = Operand::contiguous(Storage::I64, &index_shape);
            let picks = numbers(index.size(), axis);
            let mut wanted = vec![0.0_f64; outer * axis * inner];
            let mut wanted_whole = vec![0_i64; outer * axis * inner];
            for o in 0..outer {
                for k in 0..count {
                    for i in 0..inner {
                        let from = (o * count + k) * inner + i;
                        let pick = if each { picks[from] } else { picks[k] };
                        let to = (o * axis + wrapped(pick, axis)) * inner + i;
                        wanted[to] += f64::from(g[from]);
                        wanted_whole[to] += whole[from];
                    }
                }
            }
            let kernels = |storage| {
                let g = Operand::contiguous(storage, &g_shape);
                let build = if each { gather_backward } else { take_backward };
                build(&g, &index, 1, axis, &Caps::portable()).unwrap()
            };
            let index = index_bytes(Storage::I64, &picks);
            let data = [bytes(&g), index.as_slice()];
            let got = run(
                &gpu,
                &kernels(Storage::F32),
                &data,
                &[],
                &[4 * wanted.len() as u64],
            );
            close("f32", &values(&got.unwrap()[0]), &wanted, 1e-5);
            let data = [bytes(&whole), index.as_slice()];
            let got = run(
                &gpu,
                &kernels(Storage::I64),
                &data,
                &[],
                &[8 * wanted.len() as u64],
            );
            assert_eq!(values::<i64>(&got.unwrap()[0]), wanted_whole);
        }
    }
}

#[test]
fn an_index_out_of_range_is_clamped_and_reported() {
    let Some(gpu) = gpu() else { return };
    let x = Operand::contiguous(Storage::F32, &[3]);
    for (storage, pick, wanted) in [
        (Storage::I64, 3, 2.0_f32),
        (Storage::I64, -4, 0.0),
        (Storage::I64, 1 << 32, 2.0),
        (Storage::I32, 7, 2.0),
        (Storage::I32, -7, 0.0),
    ] {
        let index = Operand::contiguous(storage, &[1]);
        let kernels = take(&x, &index, 0, &Caps::portable()).unwrap();
        let mut program = Program::default();
        let ids = [
            program.buffer(12, Role::Input(0)),
            program.buffer(8, Role::Input(1)),
        ];
        let out = program.buffer(4, Role::Output(0));
        kernels
            .append_to(&mut program, "take", &ids, &[out], &[])
            .unwrap();
        let executable = Executable::new(&gpu, program, true).unwrap();
        let source = gpu.upload(bytes(&[0.0_f32, 1.0, 2.0])).unwrap();
        let picks = gpu.upload(&pick_bytes(storage, pick)).unwrap();
        let result = gpu.upload(&[0; 4]).unwrap();
        let status = executable
            .run(&[&source, &picks], &[&result], &[])
            .unwrap()
            .unwrap();
        assert_ne!(gpu.read(&status, 0, 4).unwrap(), [0; 4], "{pick}");
        assert_eq!(
            values::<f32>(&gpu.read(&result, 0, 4).unwrap()),
            [wanted],
            "{pick}"
        );
    }
}

fn pick_bytes(storage: Storage, pick: i64) -> Vec<u8> {
    let mut bytes = index_bytes(storage, &[pick]);
    bytes.resize(8, 0);
    bytes
}

#[test]
fn the_last_that_is_scattered_to_a_place_stays() {
    let Some(gpu) = gpu() else { return };
    for &([outer, axis, inner], count) in CASES {
        for storage in [Storage::F32, Storage::U8] {
            let size = storage.bytes();
            let x = Operand::contiguous(storage, &[outer, axis, inner]);
            let source = Operand::contiguous(storage, &[outer, count, inner]);
            let index = Operand::contiguous(Storage::I64, &source.shape);
            let picks = numbers(index.size(), axis);
            let base: Vec<u8> = (0..x.size() * size).map(|i| (i * 31 % 253) as u8).collect();
            let put: Vec<u8> = (0..source.size() * size)
                .map(|i| (i * 17 % 241) as u8)
                .collect();
            let mut wanted = base.clone();
            for (at, &pick) in picks.iter().enumerate() {
                let (o, i) = (at / (count * inner), at % inner);
                let to = ((o * axis + wrapped(pick, axis)) * inner + i) * size;
                wanted[to..to + size].copy_from_slice(&put[at * size..(at + 1) * size]);
            }
            let kernels = scatter(&x, &index, &source, 1, Put::Last, &Caps::portable()).unwrap();
            let data = [base.as_slice(), bytes(&picks), &put];
            let got = run(&gpu, &kernels, &data, &[], &[base.len() as u64]).unwrap();
            assert_eq!(got[0], wanted, "{storage:?} {outer} {axis} {inner} {count}");
        }
    }
}
