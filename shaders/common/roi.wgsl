// Boxes (count, 4: x1, y1, x2, y2) in images of numbers `indices`.

// The image of box number `box`.  One out of range sets the status word and is the first.
fn image_of(box: u32) -> u32 {
    let at = params.index_offset + box;
    let raw = ${ index };
# if wide
    let image = raw.x;
    let known = raw.y == 0u && image < params.batch;
# else
    let image = bitcast<u32>(raw);
    let known = image < params.batch;
# endif
    if (known) {
        return image;
    }
    atomicStore(&status[0], 1u);
    return 0u;
}

fn corner(box: u32, number: u32) -> f32 {
    return boxes[params.box_offset + box * 4u + number] * params.scale;
}

// Not NaN and not infinite.
fn finite(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}
