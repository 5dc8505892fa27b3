// Keys that compare as unsigned integers as their elements do.  NaN is above every number, and -0
// is 0.

fn lam_order_f32(x: f32) -> u32 {
    if (lam_is_nan(x)) {
        return 0xffffffffu;
    }
    let bits = bitcast<u32>(x);
    if ((bits & 0x7fffffffu) == 0u) {
        return 0x80000000u;
    }
    return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}

fn lam_order_i32(x: i32) -> u32 {
    return bitcast<u32>(x) ^ 0x80000000u;
}

fn lam_order_u32(x: u32) -> u32 {
    return x;
}

fn lam_order_bool(x: bool) -> u32 {
    return select(0u, 1u, x);
}

// Whether a pair of key and place comes after another.
fn lam_after(a: vec2<u32>, b: vec2<u32>) -> bool {
    return a.x > b.x || (a.x == b.x && a.y > b.y);
}
