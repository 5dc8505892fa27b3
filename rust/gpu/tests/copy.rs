//! Copies of views: every bit arrives.

mod common;

use common::{at, gpu, indices, run, validate};
use lamina_gpu::{Caps, Operand, Storage, kernels::copy};

#[test]
fn views_of_every_width() {
    let Some(gpu) = gpu() else { return };
    let views: [(&[usize], &[isize], usize); 6] = [
        (&[], &[], 3),
        (&[5], &[1], 1),
        (&[4, 8], &[1, 4], 0),
        (&[3, 31, 2], &[64, 2, 1], 7),
        (&[2, 3, 4], &[0, -4, 1], 9),
        (&[6, 7], &[-7, -1], 41),
    ];
    for storage in Storage::ALL {
        let width = storage.bytes();
        let source: Vec<u8> = (0..256 * width)
            .map(|i| (i * 151 + i / 256) as u8)
            .collect();
        for (shape, strides, offset) in views {
            let view = Operand::view(storage, shape, strides, offset);
            let kernels = copy(&view, &Caps::portable()).unwrap();
            let size = (view.size() * width) as u64;
            let got = run(&gpu, &kernels, &[&source], &[], &[size]).unwrap();
            let element = |index: Vec<usize>| &source[at(&view, &index) * width..][..width];
            let wanted: Vec<&[u8]> = indices(shape).into_iter().map(element).collect();
            assert_eq!(got[0], wanted.concat(), "{view:?}");
        }
    }
}

#[test]
fn nothing_is_copied_with_no_dispatch() {
    let empty = copy(
        &Operand::contiguous(Storage::U8, &[3, 0]),
        &Caps::portable(),
    )
    .unwrap();
    validate(&empty);
    assert!(empty.dispatches.is_empty());
}
