//! Resampling by tables, against loops.

mod common;

use common::{bytes, close, gpu, random, run, values};
use lamina_gpu::{
    Caps, Operand, Storage,
    kernels::{AxisTable, resize},
};

/// Some places, none for the first output; or exactly one.
fn table(input: usize, output: usize, single: bool) -> AxisTable {
    let mut table = AxisTable {
        input,
        starts: vec![0],
        ..AxisTable::default()
    };
    for o in 0..output {
        let count = if single { 1 } else { (o * 5) % 7 };
        for k in 0..count {
            table.places.push(((o * 3 + k * 5) % input) as u32);
            table.weights.push((o + k) as f32 / 8.0 - 1.0);
        }
        table.starts.push(table.places.len() as u32);
    }
    table
}

#[test]
fn planes_are_weighted_by_the_tables() {
    let Some(gpu) = gpu() else { return };
    for ([h, w], [out_h, out_w]) in [([1, 1], [1, 1]), ([5, 7], [33, 31]), ([33, 65], [8, 5])] {
        let (rows, columns) = (table(h, out_h, false), table(w, out_w, false));
        let mut x = Operand::contiguous(Storage::F32, &[2, 3, h, w]);
        x.offset = 3;
        let source = random(1, 6 * h * w + 3);
        let mut wanted = vec![0.0; 6 * out_h * out_w];
        for (at, wanted) in wanted.iter_mut().enumerate() {
            let (p, r, c) = (at / (out_h * out_w), at / out_w % out_h, at % out_w);
            let taps = |t: &AxisTable, o: usize| t.starts[o] as usize..t.starts[o + 1] as usize;
            for i in taps(&rows, r) {
                for j in taps(&columns, c) {
                    let place = (p * h + rows.places[i] as usize) * w + columns.places[j] as usize;
                    let weight = f64::from(rows.weights[i]) * f64::from(columns.weights[j]);
                    *wanted += weight * f64::from(source[3 + place]);
                }
            }
        }
        let kernels = resize(&x, &rows, &columns, false, &Caps::portable()).unwrap();
        let got = run(
            &gpu,
            &kernels,
            &[bytes(&source)],
            &[],
            &[4 * wanted.len() as u64],
        )
        .unwrap();
        close("resize", &values(&got[0]), &wanted, 1e-5);

        let (rows, columns) = (table(h, out_h, true), table(w, out_w, true));
        x.storage = Storage::U8;
        let source: Vec<u8> = (0..6 * h * w + 3).map(|i| (i % 251) as u8).collect();
        let kernels = resize(&x, &rows, &columns, true, &Caps::portable()).unwrap();
        let size = 6 * out_h * out_w;
        let got = run(&gpu, &kernels, &[&source], &[], &[size as u64]).unwrap();
        for (at, got) in got[0].iter().enumerate() {
            let (p, r, c) = (at / (out_h * out_w), at / out_w % out_h, at % out_w);
            let place = (p * h + rows.places[r] as usize) * w + columns.places[c] as usize;
            assert_eq!(*got, source[3 + place]);
        }
    }
    let x = Operand::contiguous(Storage::F32, &[5, 7]);
    let refused = resize(
        &x,
        &table(5, 3, false),
        &table(6, 3, false),
        false,
        &Caps::portable(),
    );
    assert!(refused.is_err());
}
