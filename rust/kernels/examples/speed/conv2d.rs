//! Convolutions and their gradients.

use crate::{best, rate, values};
use lamina_kernels::conv2d::blocked;
use lamina_kernels::conv2d::{
    Conv2dShape, ConvWeight, PackedConvWeight, backward_input, backward_weight, forward,
};
use lamina_kernels::isa::Isa;
use std::hint::black_box;

/// Batch, channels in, image size, channels out, kernel, stride, groups.
const LAYERS: [[usize; 7]; 26] = [
    [1, 3, 224, 64, 7, 2, 1],
    [1, 64, 56, 64, 3, 1, 1],
    [1, 128, 28, 128, 3, 1, 1],
    [1, 256, 14, 256, 3, 1, 1],
    [1, 512, 7, 512, 3, 1, 1],
    [8, 512, 7, 512, 3, 1, 1],
    [1, 64, 56, 256, 1, 1, 1],
    [1, 256, 56, 64, 1, 1, 1],
    [1, 1024, 14, 256, 1, 1, 1],
    [1, 256, 56, 512, 1, 2, 1],
    [1, 128, 56, 128, 3, 2, 1],
    [1, 16, 54, 64, 3, 1, 1],
    [1, 96, 112, 96, 3, 2, 96],
    [1, 144, 56, 144, 3, 1, 144],
    [1, 384, 14, 384, 3, 1, 384],
    [16, 3, 32, 32, 3, 1, 1],
    [16, 32, 32, 32, 3, 1, 1],
    [16, 64, 32, 64, 3, 1, 1],
    [16, 128, 16, 128, 3, 1, 1],
    [64, 128, 8, 128, 3, 1, 1],
    [16, 512, 4, 512, 3, 1, 1],
    [16, 64, 32, 64, 1, 1, 1],
    [16, 64, 32, 128, 3, 2, 1],
    [64, 1, 28, 8, 3, 1, 1],
    [64, 8, 14, 16, 3, 1, 1],
    [64, 32, 8, 64, 3, 1, 1],
];

pub fn run(isa: Isa, peak: f64) {
    for [batch, in_c, size, out_c, kernel, stride, groups] in LAYERS {
        let shape = Conv2dShape {
            batch,
            in_c,
            in_h: size,
            in_w: size,
            out_c,
            kernel_h: kernel,
            kernel_w: kernel,
            stride: [stride; 2],
            dilation: [1; 2],
            pads: [kernel / 2; 4],
            groups,
        };
        let (x, w) = (values(shape.input_len()), values(shape.weight_len()));
        let dy = values(shape.output_len());
        let (mut y, mut dx, mut dw) = (dy.clone(), x.clone(), w.clone());
        let packed = PackedConvWeight::forward(isa, &shape, &w);
        let flops = 2 * shape.output_len() * shape.group_in() * kernel * kernel;
        let (packed, plain) = (ConvWeight::Packed(&packed), ConvWeight::Plain(&w));
        let times = [
            (
                "forward",
                best(|| forward(isa, &shape, &x, packed, black_box(&mut y), None)),
            ),
            (
                "input",
                best(|| backward_input(isa, &shape, &dy, plain, black_box(&mut dx), None)),
            ),
            (
                "weight",
                best(|| backward_weight(isa, &shape, &x, &dy, black_box(&mut dw))),
            ),
        ];
        let in_blocks = |channels| lamina_kernels::blocked::len(isa, batch, channels, 1);
        let plain = in_c <= 4;
        let image = if plain { batch * in_c } else { in_blocks(in_c) } * size * size;
        let (x, dy) = (
            values(image),
            values(in_blocks(out_c) * shape.out_h() * shape.out_w()),
        );
        let in_blocks = (groups == 1).then(|| {
            let run = || blocked::backward_weight(isa, &shape, &x, plain, &dy, black_box(&mut dw));
            ("weight in blocks", best(run))
        });
        print!("  {batch:>2} {in_c:>4} @{size:<3} -> {out_c:<3} {kernel}x{kernel}");
        print!(" /{stride} groups {groups:<3}");
        for (name, seconds) in times.into_iter().chain(in_blocks) {
            print!(
                "  {name} {:7.1} us {}",
                seconds * 1e6,
                rate(flops, seconds, peak)
            );
        }
        println!();
    }
}
