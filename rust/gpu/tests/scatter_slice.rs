//! A slice put back where it was cut, against loops.

mod common;

use common::{at, gpu, indices, run};
use lamina_gpu::{Caps, Operand, Storage, kernels::scatter_slice};

struct Case {
    shape: &'static [usize],
    region: &'static [usize],
    starts: &'static [usize],
    steps: &'static [isize],
}

const CASES: &[Case] = &[
    Case {
        shape: &[],
        region: &[],
        starts: &[],
        steps: &[],
    },
    Case {
        shape: &[7],
        region: &[3],
        starts: &[2],
        steps: &[1],
    },
    Case {
        shape: &[33],
        region: &[11],
        starts: &[32],
        steps: &[-3],
    },
    Case {
        shape: &[2, 31, 33],
        region: &[2, 31, 30],
        starts: &[0, 0, 3],
        steps: &[1, 1, 1],
    },
    Case {
        shape: &[5, 6, 7],
        region: &[3, 6, 7],
        starts: &[1, 0, 0],
        steps: &[1, 1, 1],
    },
    Case {
        shape: &[5, 6, 7],
        region: &[3, 2, 4],
        starts: &[4, 1, 6],
        steps: &[-2, 4, -2],
    },
    Case {
        shape: &[3, 4],
        region: &[0, 4],
        starts: &[3, 0],
        steps: &[1, 1],
    },
];

#[test]
fn the_region_holds_the_input_and_the_rest_the_fill() {
    let Some(gpu) = gpu() else { return };
    for storage in [Storage::F32, Storage::F16, Storage::U8, Storage::I64] {
        let bytes = storage.bytes();
        for case in CASES {
            for turned in [false, true] {
                let size: usize = case.region.iter().product();
                let mut input = Operand::contiguous(storage, case.region);
                if turned {
                    input.strides.iter_mut().for_each(|s| *s = -*s);
                    input.offset = size.saturating_sub(1) + 2;
                }
                let source: Vec<u8> = (0..(size + 2) * bytes).map(|i| (i % 251) as u8).collect();
                let fill = 0x1122_3344_5566_7788_u64;
                let kernels = scatter_slice(
                    &input,
                    case.shape,
                    case.starts,
                    case.steps,
                    fill,
                    &Caps::portable(),
                )
                .unwrap();
                let count: usize = case.shape.iter().product();
                let mut wanted = vec![fill.to_le_bytes()[..bytes].to_vec(); count];
                for index in indices(case.region) {
                    let mut place = 0;
                    for (axis, &i) in index.iter().enumerate() {
                        let c = case.starts[axis] as isize + i as isize * case.steps[axis];
                        place = place * case.shape[axis] + c as usize;
                    }
                    let from = at(&input, &index) * bytes;
                    wanted[place] = source[from..from + bytes].to_vec();
                }
                let got = run(&gpu, &kernels, &[&source], &[], &[(count * bytes) as u64]).unwrap();
                assert_eq!(got[0], wanted.concat(), "{storage:?} {:?}", case.shape);
            }
        }
    }
}

#[test]
fn a_region_outside_is_refused() {
    let input = Operand::contiguous(Storage::F32, &[3]);
    let refused = |starts: &[usize], steps: &[isize]| {
        scatter_slice(&input, &[4], starts, steps, 0, &Caps::portable()).is_err()
    };
    assert!(refused(&[2], &[1]) && refused(&[1], &[-1]) && refused(&[0], &[0]));
    assert!(!refused(&[1], &[1]) && !refused(&[3], &[-1]));
}
