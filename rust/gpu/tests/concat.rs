//! Tensors one after the other, against loops.

mod common;

use common::{gpu, run};
use lamina_gpu::{Caps, Operand, Storage, kernels::concat};

#[test]
fn pieces_follow_each_other_along_an_axis() {
    let Some(gpu) = gpu() else { return };
    // Rows, lengths along the axis, what follows it.
    let cases: [(usize, &[usize], usize); 6] = [
        (1, &[1], 1),
        (2, &[1, 1], 1),
        (3, &[4, 8], 4),
        (31, &[3, 0, 33, 5], 1),
        (5, &[31, 2, 1, 1, 7, 4, 9, 3, 2, 6], 3),
        (1, &[65, 63], 32),
    ];
    for storage in [Storage::F32, Storage::F16, Storage::Bool, Storage::I64] {
        let bytes = storage.bytes();
        for (rows, lengths, inner) in cases {
            let mut data = Vec::new();
            let mut inputs = Vec::new();
            for (i, &n) in lengths.iter().enumerate() {
                let mut input = Operand::contiguous(storage, &[rows, n, inner]);
                input.offset = i % 3;
                let size = (input.size() + input.offset) * bytes;
                data.push(
                    (0..size)
                        .map(|b| (b * 7 + i * 31) as u8)
                        .collect::<Vec<u8>>(),
                );
                inputs.push(input);
            }
            let kernels = concat(&inputs, 1, &Caps::portable()).unwrap();
            let mut wanted = Vec::new();
            for row in 0..rows {
                for (input, data) in inputs.iter().zip(&data) {
                    let width = input.shape[1] * inner;
                    let start = (input.offset + row * width) * bytes;
                    wanted.extend_from_slice(&data[start..start + width * bytes]);
                }
            }
            let data: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
            let got = run(&gpu, &kernels, &data, &[], &[wanted.len() as u64]).unwrap();
            assert_eq!(got[0], wanted, "{storage:?} {rows} {lengths:?} {inner}");
        }
    }
    let (a, b) = (
        Operand::contiguous(Storage::F32, &[2, 3]),
        Operand::contiguous(Storage::F32, &[3, 3]),
    );
    assert!(concat(&[a, b], 1, &Caps::portable()).is_err());
}
