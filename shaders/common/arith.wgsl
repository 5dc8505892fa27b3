// Arithmetic as NumPy has it.  WGSL lets a compiler assume that there is no
// NaN or infinity, so comparisons look at bits where these matter.

fn lam_eq(a: f32, b: f32) -> bool {
    return a == b && !lam_is_nan(a) && !lam_is_nan(b);
}

fn lam_lt(a: f32, b: f32) -> bool {
    return a < b && !lam_is_nan(a) && !lam_is_nan(b);
}

fn lam_le(a: f32, b: f32) -> bool {
    return a <= b && !lam_is_nan(a) && !lam_is_nan(b);
}

fn lam_gt(a: f32, b: f32) -> bool {
    return lam_lt(b, a);
}

fn lam_ge(a: f32, b: f32) -> bool {
    return lam_le(b, a);
}

// The built-in quotient may be off by 2.5 ulp: one step of Newton's mends it
// where the parts are normal numbers.
fn lam_div(a: f32, b: f32) -> f32 {
    if ((bitcast<u32>(b) & 0x7fffffffu) == 0u) {
        if ((bitcast<u32>(a) & 0x7fffffffu) == 0u || lam_is_nan(a)) {
            return lam_nan();
        }
        return lam_copysign(lam_inf(), bitcast<f32>((bitcast<u32>(a) ^ bitcast<u32>(b)) & 0x80000000u));
    }
    let quotient = a / b;
    let size = bitcast<u32>(quotient) & 0x7fffffffu;
    if (size < 0x0c000000u || size > 0x7e000000u) {
        return quotient;
    }
    let corrected = quotient + fma(-quotient, b, a) / b;
    return select(corrected, quotient, lam_is_nan(corrected));
}

fn lam_sqrt(x: f32) -> f32 {
    if (lam_is_nan(x) || x < 0.0) {
        return lam_nan();
    }
    if (x == 0.0 || lam_is_inf(x)) {
        return x;
    }
    let root = sqrt(x);
    let corrected = root + fma(-root, root, x) / (2.0 * root);
    return select(corrected, root, lam_is_nan(corrected));
}

fn lam_clip(x: f32, lo: f32, hi: f32) -> f32 {
    return select(min(max(x, lo), hi), x, lam_is_nan(x));
}

// The sign of the dividend; exact while the quotient is below 2^24.
fn lam_fmod(a: f32, b: f32) -> f32 {
    let quotient = trunc(lam_div(a, b));
    if (quotient == 0.0) {
        // |a| < |b|, which may be infinite.
        return a;
    }
    var rest = fma(-quotient, b, a);
    if (rest != 0.0 && (rest < 0.0) != (a < 0.0)) {
        rest += lam_copysign(abs(b), a);
    }
    if (abs(rest) >= abs(b)) {
        rest -= lam_copysign(abs(b), rest);
    }
    return lam_copysign(abs(rest), a);
}

// The sign of the divisor.
fn lam_remainder(a: f32, b: f32) -> f32 {
    let rest = lam_fmod(a, b);
    if (rest != 0.0 && (rest < 0.0) != (b < 0.0)) {
        return rest + b;
    }
    return lam_copysign(abs(rest), b);
}

// Integer division: by zero gives 0.

fn lam_div_i32(a: i32, b: i32) -> i32 {
    if (b == 0) {
        return 0;
    }
    return select(a / b, -a, b == -1);
}

fn lam_div_u32(a: u32, b: u32) -> u32 {
    return select(a / max(b, 1u), 0u, b == 0u);
}

fn lam_fmod_i32(a: i32, b: i32) -> i32 {
    return select(a - lam_div_i32(a, b) * b, 0, b == 0);
}

fn lam_fmod_u32(a: u32, b: u32) -> u32 {
    return select(a - lam_div_u32(a, b) * b, 0u, b == 0u);
}

fn lam_remainder_i32(a: i32, b: i32) -> i32 {
    let rest = lam_fmod_i32(a, b);
    return select(rest, rest + b, rest != 0 && (rest < 0) != (b < 0));
}

fn lam_remainder_u32(a: u32, b: u32) -> u32 {
    return lam_fmod_u32(a, b);
}

fn lam_floor_div_i32(a: i32, b: i32) -> i32 {
    let quotient = lam_div_i32(a, b);
    let rest = lam_fmod_i32(a, b);
    return select(quotient, quotient - 1, rest != 0 && (rest < 0) != (b < 0));
}

fn lam_floor_div_u32(a: u32, b: u32) -> u32 {
    return lam_div_u32(a, b);
}

fn lam_pow_u32(a: u32, b: u32) -> u32 {
    var base = a;
    var left = b;
    var result = 1u;
    for (var i = 0u; i < 32u; i++) {
        if ((left & 1u) == 1u) {
            result = result * base;
        }
        base = base * base;
        left = left >> 1u;
    }
    return result;
}

// A negative exponent leaves only 1 and -1 other than 0.
fn lam_pow_i32(a: i32, b: i32) -> i32 {
    if (b < 0) {
        return select(select(0, select(1, -1, (b & 1) == 1), a == -1), 1, a == 1);
    }
    return bitcast<i32>(lam_pow_u32(bitcast<u32>(a), u32(b)));
}

// Truncates and saturates at lo and hi; NaN gives 0.
fn lam_f32_to_i32(x: f32, lo: i32, hi: i32) -> i32 {
    if (lam_is_nan(x)) {
        return 0;
    }
    if (x >= f32(hi)) {
        return hi;
    }
    if (x <= f32(lo)) {
        return lo;
    }
    return i32(trunc(x));
}

fn lam_f32_to_u32(x: f32, lo: u32, hi: u32) -> u32 {
    if (lam_is_nan(x) || x <= f32(lo)) {
        return lo;
    }
    if (x >= f32(hi)) {
        return hi;
    }
    return u32(trunc(x));
}

// Shifts by as many bits as there are, or by a negative number, bring in all that can come.

fn lam_shl_u32(a: u32, by: u32) -> u32 {
    return select(a << (by & 31u), 0u, by >= 32u);
}

fn lam_shl_i32(a: i32, by: i32) -> i32 {
    return bitcast<i32>(lam_shl_u32(bitcast<u32>(a), bitcast<u32>(by)));
}

fn lam_shr_u32(a: u32, by: u32) -> u32 {
    return select(a >> (by & 31u), 0u, by >= 32u);
}

fn lam_shr_i32(a: i32, by: i32) -> i32 {
    return a >> min(bitcast<u32>(by), 31u);
}
