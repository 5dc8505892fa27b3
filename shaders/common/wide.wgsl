// 64-bit integers as vec2<u32>, the low word first.

fn lam_i64_from_i32(x: i32) -> vec2<u32> {
    return vec2<u32>(bitcast<u32>(x), bitcast<u32>(x >> 31u));
}

fn lam_i64_from_u32(x: u32) -> vec2<u32> {
    return vec2<u32>(x, 0u);
}

// The low 32 bits.
fn lam_i64_to_i32(x: vec2<u32>) -> i32 {
    return bitcast<i32>(x.x);
}

fn lam_i64_add(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = a.x + b.x;
    return vec2<u32>(low, a.y + b.y + select(0u, 1u, low < a.x));
}

fn lam_i64_neg(a: vec2<u32>) -> vec2<u32> {
    return lam_i64_add(~a, vec2<u32>(1u, 0u));
}

fn lam_i64_sub(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    return vec2<u32>(a.x - b.x, a.y - b.y - select(0u, 1u, a.x < b.x));
}

fn lam_i64_mul(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = lam_multiply_wide(a.x, b.x);
    return vec2<u32>(low.x, low.y + a.x * b.y + a.y * b.x);
}

fn lam_i64_eq(a: vec2<u32>, b: vec2<u32>) -> bool {
    return a.x == b.x && a.y == b.y;
}

fn lam_u64_lt(a: vec2<u32>, b: vec2<u32>) -> bool {
    return a.y < b.y || (a.y == b.y && a.x < b.x);
}

fn lam_i64_lt(a: vec2<u32>, b: vec2<u32>) -> bool {
    return bitcast<i32>(a.y) < bitcast<i32>(b.y) || (a.y == b.y && a.x < b.x);
}

fn lam_i64_negative(a: vec2<u32>) -> bool {
    return (a.y & 0x80000000u) != 0u;
}

// The nearest f32; a tie among the bits that f32 cannot hold goes to the even one.
fn lam_u64_to_f32(a: vec2<u32>) -> f32 {
    if (a.y == 0u) {
        return f32(a.x);
    }
    // Bring the leading one to the top of the high word; what falls off is remembered in a bit.
    let shift = countLeadingZeros(a.y);
    var high = a.y;
    var low = a.x;
    if (shift > 0u) {
        high = (a.y << shift) | (a.x >> (32u - shift));
        low = a.x << shift;
    }
    let sticky = high | select(0u, 1u, low != 0u);
    // 24 of the 32 bits are kept, so that the last one only breaks ties.
    return lam_scale(f32(sticky), 32 - i32(shift));
}

fn lam_i64_to_f32(a: vec2<u32>) -> f32 {
    if (lam_i64_negative(a)) {
        return -lam_u64_to_f32(lam_i64_neg(a));
    }
    return lam_u64_to_f32(a);
}

// Towards zero; out of range gives the nearest bound, NaN 0.
fn lam_u64_from_f32(x: f32) -> vec2<u32> {
    if (!(x >= 1.0)) {
        return vec2<u32>(0u, 0u);
    }
    let bits = bitcast<u32>(x);
    let exponent = i32(bits >> 23u) - 150;
    let m = (bits & 0x7fffffu) | 0x800000u;
    if (exponent > 40) {
        return vec2<u32>(0xffffffffu, 0xffffffffu);
    }
    if (exponent <= 0) {
        return vec2<u32>(m >> u32(-exponent), 0u);
    }
    if (exponent >= 32) {
        return vec2<u32>(0u, m << u32(exponent - 32));
    }
    return vec2<u32>(m << u32(exponent), m >> u32(32 - exponent));
}

fn lam_i64_from_f32(x: f32) -> vec2<u32> {
    if (lam_is_nan(x)) {
        return vec2<u32>(0u, 0u);
    }
    let size = lam_u64_from_f32(abs(x));
    if (x < 0.0) {
        if (lam_u64_lt(vec2<u32>(0u, 0x80000000u), size)) {
            return vec2<u32>(0u, 0x80000000u);
        }
        return lam_i64_neg(size);
    }
    if (lam_i64_negative(size)) {
        return vec2<u32>(0xffffffffu, 0x7fffffffu);
    }
    return size;
}

// 0 from 64 bits on.
fn lam_u64_shl(a: vec2<u32>, by: vec2<u32>) -> vec2<u32> {
    if (by.y != 0u || by.x >= 64u) {
        return vec2<u32>(0u, 0u);
    }
    if (by.x == 0u) {
        return a;
    }
    if (by.x >= 32u) {
        return vec2<u32>(0u, a.x << (by.x - 32u));
    }
    return vec2<u32>(a.x << by.x, (a.y << by.x) | (a.x >> (32u - by.x)));
}

// `fill` comes in from above: 0, or all ones for a negative number.
fn lam_shr_filled(a: vec2<u32>, by: vec2<u32>, fill: u32) -> vec2<u32> {
    if (by.y != 0u || by.x >= 64u) {
        return vec2<u32>(fill, fill);
    }
    if (by.x == 0u) {
        return a;
    }
    if (by.x == 32u) {
        return vec2<u32>(a.y, fill);
    }
    if (by.x > 32u) {
        return vec2<u32>((a.y >> (by.x - 32u)) | (fill << (64u - by.x)), fill);
    }
    return vec2<u32>((a.x >> by.x) | (a.y << (32u - by.x)), (a.y >> by.x) | (fill << (32u - by.x)));
}

fn lam_u64_shr(a: vec2<u32>, by: vec2<u32>) -> vec2<u32> {
    return lam_shr_filled(a, by, 0u);
}

fn lam_i64_shr(a: vec2<u32>, by: vec2<u32>) -> vec2<u32> {
    return lam_shr_filled(a, by, select(0u, 0xffffffffu, lam_i64_negative(a)));
}
