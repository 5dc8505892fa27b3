// Elements narrower than a word, and halves of floats, by their bits alone: the built-in
// conversions leave rounding, overflow and subnormals to the driver.

fn lam_f16_to_f32(bits: u32) -> f32 {
    let sign = (bits & 0x8000u) << 16u;
    let exponent = (bits >> 10u) & 31u;
    let fraction = bits & 0x3ffu;
    if (exponent == 0u) {
        // A multiple of 2^-24, exact in f32.
        return bitcast<f32>(bitcast<u32>(f32(fraction) * 5.9604644775390625e-8) | sign);
    }
    let widened = select(exponent + 112u, 255u, exponent == 31u);
    return bitcast<f32>(sign | (widened << 23u) | (fraction << 13u));
}

// To nearest, ties to even.
fn lam_f32_to_f16(value: f32) -> u32 {
    let bits = bitcast<u32>(value);
    let sign = (bits >> 16u) & 0x8000u;
    let size = bits & 0x7fffffffu;
    if (size > 0x7f800000u) {
        return sign | 0x7e00u;
    }
    if (size >= 0x477ff000u) {
        return sign | 0x7c00u;
    }
    if (size < 0x38800000u) {
        // Below 2^-14: count in units of 2^-24.
        if (size < 0x33000000u) {
            return sign;
        }
        let shift = 126u - (size >> 23u);
        let whole = (size & 0x7fffffu) | 0x800000u;
        let kept = whole >> shift;
        let rest = whole & ((1u << shift) - 1u);
        let half = 1u << (shift - 1u);
        let up = rest > half || (rest == half && (kept & 1u) == 1u);
        return sign | (kept + select(0u, 1u, up));
    }
    let rounded = size + 0xfffu + ((size >> 13u) & 1u);
    return sign | ((rounded - 0x38000000u) >> 13u);
}

fn lam_f32_to_bf16(value: f32) -> u32 {
    let bits = bitcast<u32>(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        return (bits >> 16u) | 0x40u;
    }
    return (bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u;
}

// The float of a code of so many exponent and mantissa bits.  Sizes above `top` are NaN, but for
// the infinite one; `nan` is a whole code that is NaN.
fn lam_decode_float(code: u32, exponent_bits: u32, mantissa_bits: u32, bias: i32, top: u32, infinite: u32, nan: u32) -> f32 {
    let bits = exponent_bits + mantissa_bits;
    let size = code & ((1u << bits) - 1u);
    let sign = ((code >> bits) & 1u) << 31u;
    if (code == nan) {
        return lam_nan();
    }
    if (size > top) {
        return select(lam_nan(), bitcast<f32>(bitcast<u32>(lam_inf()) | sign), size == infinite);
    }
    let exponent = i32(size >> mantissa_bits);
    let fraction = f32(size & ((1u << mantissa_bits) - 1u));
    let whole = select(f32(1u << mantissa_bits), 0.0, exponent == 0);
    let value = lam_scale(whole + fraction, max(exponent, 1) - bias - i32(mantissa_bits));
    return bitcast<f32>(bitcast<u32>(value) | sign);
}

// The code nearest to x, of `bits` without the sign; `codes`: the largest, NaN, what is beyond.
fn lam_encode_float(x: f32, bits: u32, mantissa_bits: u32, bias: i32, codes: vec3<u32>, signs_beyond: bool, signs_zero: bool) -> u32 {
    if (lam_is_nan(x)) {
        return codes.y;
    }
    let raw = bitcast<u32>(x);
    let size = raw & 0x7fffffffu;
    let sign = (raw >> 31u) << bits;
    var code = 0u;
    if (i32(size >> 23u) < 128 - bias) {
        // Units of the smallest subnormal; the first normal follows the last of them.
        code = u32(round(lam_scale(bitcast<f32>(size), bias - 1 + i32(mantissa_bits))));
    } else {
        let drop = 23u - mantissa_bits;
        let rounded = size + (1u << (drop - 1u)) - 1u + ((size >> drop) & 1u);
        code = (rounded >> drop) - (u32(127 - bias) << mantissa_bits);
    }
    if (code > codes.x) {
        return codes.z | select(0u, sign, signs_beyond);
    }
    return code | select(0u, sign, code != 0u || signs_zero);
}

// 2^(code - 127); 255 is NaN.
fn lam_decode_power(code: u32) -> f32 {
    if (code == 255u) {
        return lam_nan();
    }
    return bitcast<f32>(select(code << 23u, 0x400000u, code == 0u));
}

// The exponent of |x|, one more from a fraction of `least` on, in units of the last bit; `low` is
// where that is below 2^-126.
fn lam_encode_power(x: f32, least: u32, low: u32, beyond: u32) -> u32 {
    let size = bitcast<u32>(x) & 0x7fffffffu;
    if (size >= 0x7f800000u) {
        return select(255u, beyond, size == 0x7f800000u);
    }
    let fraction = size & 0x7fffffu;
    if (size < 0x800000u) {
        return select(0u, 1u, fraction >= low);
    }
    return min((size >> 23u) + select(0u, 1u, fraction >= least), beyond);
}
