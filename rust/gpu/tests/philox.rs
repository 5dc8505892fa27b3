//! Random numbers against the cipher in plain loops.

mod common;

use common::{bytes, gpu, run, values};
use lamina_gpu::{Caps, Operand, Storage, kernels::philox as draw};

fn philox(counter: u64, mut key: [u32; 2]) -> [u32; 4] {
    let mut x = [counter as u32, (counter >> 32) as u32, 0, 0];
    for _ in 0..10 {
        let a = u64::from(x[0]) * 0xD251_1F53;
        let b = u64::from(x[2]) * 0xCD9E_8D57;
        let high = |p: u64| (p >> 32) as u32;
        x = [
            high(b) ^ x[1] ^ key[0],
            b as u32,
            high(a) ^ x[3] ^ key[1],
            a as u32,
        ];
        key = [
            key[0].wrapping_add(0x9E37_79B9),
            key[1].wrapping_add(0xBB67_AE85),
        ];
    }
    x
}

#[test]
fn the_cipher_has_its_authors_values() {
    assert_eq!(
        philox(0, [0, 0]),
        [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
    );
}

#[test]
fn numbers_follow_the_cipher() {
    let Some(gpu) = gpu() else { return };
    for (seed, counter) in [
        (0u64, 0u64),
        (0x1234_5678_9abc_def0, 0xffff_fff0),
        (7, 1 << 40),
    ] {
        let state = [
            seed as u32,
            (seed >> 32) as u32,
            counter as u32,
            (counter >> 32) as u32,
        ];
        let padded = [&[9, 9][..], &state[..]].concat();
        let operand = Operand::view(Storage::U32, &[4], &[1], 2);
        for size in [1, 5, 4096, 4099] {
            let unit = |i: usize| {
                let word = philox(counter.wrapping_add(i as u64 / 4), [state[0], state[1]])[i % 4];
                f64::from(word >> 8) / f64::from(1 << 24)
            };
            for normal in [false, true] {
                let kernels = draw(
                    &operand,
                    &Operand::contiguous(Storage::F32, &[size]),
                    normal,
                    &Caps::portable(),
                )
                .unwrap();
                let got = run(&gpu, &kernels, &[bytes(&padded)], &[], &[4 * size as u64]).unwrap();
                for (i, got) in values::<f32>(&got[0])[..size].iter().enumerate() {
                    if !normal {
                        assert_eq!(f64::from(*got).to_bits(), unit(i).to_bits());
                        continue;
                    }
                    let first = i / 2 * 2;
                    let radius = (-2.0 * (unit(first) + 1.0 / f64::from(1 << 24)).ln()).sqrt();
                    let turn = std::f64::consts::TAU * unit(first + 1);
                    let wanted = radius * if i % 2 == 0 { turn.cos() } else { turn.sin() };
                    assert!(
                        (f64::from(*got) - wanted).abs() < 1e-6,
                        "{i}: {got} {wanted}"
                    );
                }
            }
        }
    }
}
