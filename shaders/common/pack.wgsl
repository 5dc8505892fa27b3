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
