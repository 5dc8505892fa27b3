// Elementary functions within a few units in the last place on any GPU: the built-ins may be far
// looser.  NaN and infinity are told by their bits, since compilers may assume there are none,
// and high parts of split numbers are cut off by masks, which no compiler can see through.

fn lam_inf() -> f32 {
    var bits = 0x7f800000u;
    return bitcast<f32>(bits);
}

fn lam_nan() -> f32 {
    var bits = 0x7fc00000u;
    return bitcast<f32>(bits);
}

fn lam_is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn lam_is_inf(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) == 0x7f800000u;
}

// The larger one; NaN if either is.
fn lam_max(a: f32, b: f32) -> f32 {
    if (lam_is_nan(a)) {
        return a;
    }
    if (lam_is_nan(b)) {
        return b;
    }
    return select(b, a, a > b);
}

fn lam_min(a: f32, b: f32) -> f32 {
    if (lam_is_nan(a)) {
        return a;
    }
    if (lam_is_nan(b)) {
        return b;
    }
    return select(b, a, a < b);
}

fn lam_copysign(size: f32, sign: f32) -> f32 {
    return bitcast<f32>((bitcast<u32>(size) & 0x7fffffffu) | (bitcast<u32>(sign) & 0x80000000u));
}

// x 2^n for -252 <= n <= 254, in two steps so that neither factor overflows.
fn lam_scale(x: f32, n: i32) -> f32 {
    let half = n >> 1u;
    let first = bitcast<f32>(u32(half + 127) << 23u);
    let second = bitcast<f32>(u32(n - half + 127) << 23u);
    return x * first * second;
}

// e^(x + low): x = n ln 2 + r, a polynomial in r, then 2^n.
fn lam_exp_sum(x: f32, low: f32) -> f32 {
    if (lam_is_nan(x)) {
        return x;
    }
    if (x > 88.8) {
        return lam_inf();
    }
    if (x < -104.0) {
        return 0.0;
    }
    let n = round(x * 1.44269504);
    // The first constant has 16 bits, so its product with n is exact.
    let r = ((x - n * 0.693145751953125) - n * 1.4286068e-6) + low;
    let tail = 0.500000002 + r * (0.166666667 + r * (0.0416664318 + r * (0.00833329275
        + r * (0.00139371843 + r * 0.000199038646))));
    return lam_scale(1.0 + (r + r * r * tail), i32(n));
}

fn lam_exp(x: f32) -> f32 {
    return lam_exp_sum(x, 0.0);
}

// The series for small x; elsewhere the difference loses nothing.
fn lam_expm1(x: f32) -> f32 {
    if (abs(x) < 0.35) {
        let tail = 0.5 + x * (0.166666667 + x * (0.0416666668 + x * (0.00833329275
            + x * (0.00138888309 + x * 0.000199038646))));
        return x + x * x * tail;
    }
    return lam_exp(x) - 1.0;
}

// log(1 + f) for sqrt(1/2) <= 1 + f < sqrt(2): 2 artanh(s), s = f / (2 + f).
fn lam_log_near_one(f: f32) -> f32 {
    let s = f / (2.0 + f);
    let z = s * s;
    let rest = z * (0.666666667 + z * (0.4 + z * (0.285714286 + z * (0.222222222 + z * 0.181818182))));
    return f - s * (f - rest);
}

fn lam_log(x: f32) -> f32 {
    var bits = bitcast<u32>(x);
    if ((bits & 0x7fffffffu) == 0u) {
        return -lam_inf();
    }
    if (lam_is_nan(x) || bits == 0x7f800000u) {
        return x;
    }
    if (bits > 0x7fffffffu) {
        return lam_nan();
    }
    var e = 0;
    if (bits < 0x00800000u) {
        // Subnormal: its bits are its value in units of 2^-149.
        bits = bitcast<u32>(f32(bits));
        e = -149;
    }
    // 0x3f3504f3 is sqrt(1/2).
    let shifted = bits - 0x3f3504f3u;
    e += bitcast<i32>(shifted) >> 23u;
    let m = bitcast<f32>((shifted & 0x7fffffu) + 0x3f3504f3u);
    return f32(e) * 0.693145751953125 + (lam_log_near_one(m - 1.0) + f32(e) * 1.4286068e-6);
}

fn lam_log1p(x: f32) -> f32 {
    if (x > -0.29 && x < 0.41) {
        return select(x, lam_log_near_one(x), x != 0.0);
    }
    return lam_log(1.0 + x);
}

// (e^2x - 1) / (e^2x + 1).
fn lam_tanh(x: f32) -> f32 {
    if (lam_is_nan(x)) {
        return x;
    }
    let size = abs(x);
    if (size > 9.1) {
        return lam_copysign(1.0, x);
    }
    let t = lam_expm1(2.0 * size);
    return lam_copysign(t / (t + 2.0), x);
}

fn lam_sigmoid(x: f32) -> f32 {
    // Both branches keep the exponential below 1.
    let e = lam_exp(-abs(x));
    return select(e, 1.0, x >= 0.0) / (1.0 + e);
}

// log(1 + e^x)
fn lam_softplus(x: f32) -> f32 {
    return lam_max(x, 0.0) + lam_log1p(lam_exp(-abs(x)));
}

// e^x / 2, which overflows later than e^x.
fn lam_half_exp(x: f32) -> f32 {
    if (x > 88.0) {
        // Times e / 2.
        return lam_exp(x - 1.0) * 1.3591409;
    }
    return 0.5 * lam_exp(x);
}

// The series for small x, where the exponentials cancel.
fn lam_sinh(x: f32) -> f32 {
    if (lam_is_nan(x)) {
        return x;
    }
    let size = abs(x);
    if (size < 1.0) {
        let u = x * x;
        return x + x * u * (0.16666667 + u * (0.00833335 + u * (0.0001983616 + u * 2.8169513e-6)));
    }
    let h = lam_half_exp(size);
    return lam_copysign(h - 0.25 / h, x);
}

fn lam_cosh(x: f32) -> f32 {
    if (lam_is_nan(x)) {
        return x;
    }
    let h = lam_half_exp(abs(x));
    return h + 0.25 / h;
}

// ln(a + sqrt(a^2 + 1)), a = |x|; from 10^4 on ln a + ln 2.
fn lam_asinh(x: f32) -> f32 {
    if (lam_is_nan(x)) {
        return x;
    }
    let a = abs(x);
    if (a > 1e4) {
        return lam_copysign(lam_log(a) + 0.69314718, x);
    }
    return lam_copysign(lam_log1p(a + a * a / (1.0 + sqrt(a * a + 1.0))), x);
}

fn lam_acosh(x: f32) -> f32 {
    if (lam_is_nan(x) || x < 1.0) {
        return lam_nan();
    }
    if (x > 1e4) {
        return lam_log(x) + 0.69314718;
    }
    let t = x - 1.0;
    return lam_log1p(t + sqrt(t * (t + 2.0)));
}

// ln((1 + a) / (1 - a)) / 2, a = |x|.
fn lam_atanh(x: f32) -> f32 {
    let a = abs(x);
    if (lam_is_nan(x) || a > 1.0) {
        return lam_nan();
    }
    if (a == 1.0) {
        return lam_copysign(lam_inf(), x);
    }
    return lam_copysign(0.5 * lam_log1p(2.0 * a / (1.0 - a)), x);
}

// x tanh(ln(1 + e^x)) = x n / (n + 2), n = e^x (e^x + 2).
fn lam_mish(x: f32) -> f32 {
    if (x > 20.0) {
        return x;
    }
    let e = lam_exp(x);
    let n = e * (e + 2.0);
    return x * (n / (n + 2.0));
}

fn lam_softsign(x: f32) -> f32 {
    if (lam_is_inf(x)) {
        return lam_nan();
    }
    return x / (1.0 + abs(x));
}

fn lam_elu(x: f32, alpha: f32, scale: f32, input_scale: f32) -> f32 {
    if (x < 0.0) {
        return alpha * scale * lam_expm1(x * input_scale);
    }
    return scale * x;
}

// An odd polynomial up to 1; from there 1 - e^-p(|x|), p fitted to -log erfc.
fn lam_erf(x: f32) -> f32 {
    if (lam_is_nan(x)) {
        return x;
    }
    let size = abs(x);
    if (size < 1.0) {
        let u = x * x;
        return x * (1.12837917 + u * (-0.376126269 + u * (0.112835975 + u * (-0.0268543288
            + u * (0.00518931194 + u * (-0.000801885499 + u * 7.88249711e-5))))));
    }
    if (size > 4.0) {
        return lam_copysign(1.0, x);
    }
    let t = size - 2.5;
    let p = 7.80681528 + t * (5.35268068 + t * (0.94389364 + t * (0.010858517 + t * (-0.00216516031
        + t * (0.000420144568 + t * (-7.73944256e-5 + t * (1.33093904e-5 + t * -1.6140616e-6)))))));
    return lam_copysign(1.0 - lam_exp(-p), x);
}

// x P(x), with P(-a) = e^(h(a) - a^2/2); h hardly changes from 6 on.
fn lam_gelu(x: f32) -> f32 {
    if (lam_is_nan(x)) {
        return x;
    }
    let a = abs(x);
    let t = min(a, 6.0);
    let h = -0.6931471 + t * (-0.79788673 + t * (0.18170674 + t * (-0.036384813 + t * (0.0048537124
        + t * (-1.7892258e-5 + t * (-0.00019384787 + t * (5.658838e-5 + t * (-9.212001e-6
        + t * (9.263862e-7 + t * (-5.377135e-8 + t * 1.3816814e-9))))))))));
    let tail = lam_exp(h - 0.5 * a * a);
    return x * select(tail, 1.0 - tail, x >= 0.0);
}

fn lam_gelu_tanh(x: f32) -> f32 {
    return x * lam_sigmoid(x * (1.5957691 + 0.071354814 * x * x));
}

// The 64 bits of a product, the low word first.
fn lam_multiply_wide(a: u32, b: u32) -> vec2<u32> {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let cross = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
    let middle = (a & 0xffffu) * (b >> 16u) + (cross & 0xffffu);
    let high = (a >> 16u) * (b >> 16u) + (cross >> 16u) + (middle >> 16u);
    return vec2<u32>((low & 0xffffu) | (middle << 16u), high);
}

// The bits of 2 / pi after the point.
const lam_two_over_pi = array<u32, 8>(0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu, 0xdebbc561u);

// 32 bits of 2 / pi from bit `start` on; zeros stand before the point.
fn lam_two_over_pi_from(start: i32) -> u32 {
    var bits = lam_two_over_pi;
    let word = start >> 5u;
    let shift = u32(start & 31);
    var first = 0u;
    var second = 0u;
    if (word >= 0 && word < 8) {
        first = bits[word];
    }
    if (word >= -1 && word < 7) {
        second = bits[word + 1];
    }
    if (shift == 0u) {
        return first;
    }
    return (first << shift) | (second >> (32u - shift));
}

// The angle left of |x| in -pi/4..pi/4 and the quarter turns taken off, for any finite x:
// |x| is m 2^e, and only the bits of 2/pi 2^e below 4 count, since m is whole.
fn lam_reduce_angle(x: f32) -> vec2<f32> {
    let bits = bitcast<u32>(x) & 0x7fffffffu;
    let size = bitcast<f32>(bits);
    if (size < 0.785398) {
        return vec2<f32>(size, 0.0);
    }
    let m = (bits & 0x7fffffu) | 0x800000u;
    let start = i32(bits >> 23u) - 152;
    let p0 = m * lam_two_over_pi_from(start);
    let p1 = lam_multiply_wide(m, lam_two_over_pi_from(start + 32));
    let p2 = lam_multiply_wide(m, lam_two_over_pi_from(start + 64));
    // The product's fraction in 64 bits: turns of a whole circle.
    var low = p1.x + p2.y;
    var high = p0 + p1.y + select(0u, 1u, low < p1.x);
    let quarter = (high + 0x20000000u) >> 30u;
    high -= quarter << 30u;
    let negative = (high & 0x80000000u) != 0u;
    if (negative) {
        low = ~low + 1u;
        high = ~high + select(0u, 1u, low == 0u);
    }
    // In quarter turns of 2^-30 and 2^-62, times pi / 2.
    let angle = (f32(high) * 9.313225746154785e-10 + f32(low) * 2.168404344971009e-19) * 1.57079633;
    return vec2<f32>(select(angle, -angle, negative), f32(quarter & 3u));
}

fn lam_sin_small(r: f32) -> f32 {
    let z = r * r;
    return r + r * z * (-0.166666667 + z * (0.00833333333 + z * (-0.000198412698 + z * 2.75573192e-6)));
}

fn lam_cos_small(r: f32) -> f32 {
    let z = r * r;
    return 1.0 + z * (-0.5 + z * (0.0416666667 + z * (-0.00138888889 + z * (2.48015873e-5
        - z * 2.75573192e-7))));
}

// The sine of |x| advanced by so many quarter turns.
fn lam_sin_turned(x: f32, turns: u32) -> f32 {
    let reduced = lam_reduce_angle(x);
    let quarter = (u32(reduced.y) + turns) & 3u;
    let odd = (quarter & 1u) == 1u;
    let value = select(lam_sin_small(reduced.x), lam_cos_small(reduced.x), odd);
    return select(value, -value, quarter >= 2u);
}

fn lam_sin(x: f32) -> f32 {
    if ((bitcast<u32>(x) & 0x7fffffffu) >= 0x7f800000u) {
        return lam_nan();
    }
    let value = lam_sin_turned(x, 0u);
    return select(value, -value, (bitcast<u32>(x) & 0x80000000u) != 0u);
}

fn lam_cos(x: f32) -> f32 {
    if ((bitcast<u32>(x) & 0x7fffffffu) >= 0x7f800000u) {
        return lam_nan();
    }
    return lam_sin_turned(x, 1u);
}

fn lam_tan(x: f32) -> f32 {
    if ((bitcast<u32>(x) & 0x7fffffffu) >= 0x7f800000u) {
        return lam_nan();
    }
    let reduced = lam_reduce_angle(x);
    let sine = lam_sin_small(reduced.x);
    let cosine = lam_cos_small(reduced.x);
    let odd = (u32(reduced.y) & 1u) == 1u;
    let value = select(sine, -cosine, odd) / select(cosine, sine, odd);
    return select(value, -value, (bitcast<u32>(x) & 0x80000000u) != 0u);
}

// By a polynomial in the smaller of |x| and its reciprocal.
fn lam_atan(x: f32) -> f32 {
    if (lam_is_nan(x)) {
        return x;
    }
    let a = abs(x);
    let t = select(a, 1.0 / a, a > 1.0);
    let u = t * t;
    let y = t + t * u * (-0.33333298 + u * (0.19998549 + u * (-0.14264241 + u * (0.109521814
        + u * (-0.08403437 + u * (0.05795736 + u * (-0.031177614 + u * (0.010914481
        + u * -0.0017935939))))))));
    return lam_copysign(select(y, (1.5707964 - y) - 4.371139e-8, a > 1.0), x);
}

// asin t for 0 <= t <= 1/2, u = t^2.
fn lam_asin_near(t: f32, u: f32) -> f32 {
    return t + t * u * (0.1666666 + u * (0.0750051 + u * (0.044515718 + u * (0.031818695
        + u * (0.014394782 + u * 0.037581045)))));
}

// Above 1/2, pi/2 - 2 asin sqrt((1 - a) / 2).
fn lam_asin(x: f32) -> f32 {
    let a = abs(x);
    if (lam_is_nan(x) || a > 1.0) {
        return lam_nan();
    }
    if (a <= 0.5) {
        return lam_copysign(lam_asin_near(a, a * a), x);
    }
    let half = 0.5 - 0.5 * a;
    return lam_copysign(1.5707964 - (2.0 * lam_asin_near(lam_sqrt(half), half) + 4.371139e-8), x);
}

fn lam_acos(x: f32) -> f32 {
    let a = abs(x);
    if (lam_is_nan(x) || a > 1.0) {
        return lam_nan();
    }
    if (a <= 0.5) {
        return 1.5707964 - (lam_copysign(lam_asin_near(a, a * a), x) + 4.371139e-8);
    }
    let half = 0.5 - 0.5 * a;
    let twice = 2.0 * lam_asin_near(lam_sqrt(half), half);
    return select(twice, 3.1415927 - (twice + 8.742278e-8), x < 0.0);
}

// The leading 12 bits: the product of two such numbers is exact.
fn lam_leading(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) & 0xfffff000u);
}

// log x as a leading part and a remainder, for a normal x > 0.
fn lam_log_split(bits: u32, scale: i32) -> vec2<f32> {
    let shifted = bits - 0x3f3504f3u;
    let e = f32((bitcast<i32>(shifted) >> 23u) + scale);
    let f = bitcast<f32>((shifted & 0x7fffffu) + 0x3f3504f3u) - 1.0;
    // s = f / t, t = 2 + f, as s_high + s_low; f - s_high t is exact in two steps.
    let t = 2.0 + f;
    let t_high = lam_leading(t);
    let t_low = f - (t_high - 2.0);
    let s_high = lam_leading(f / t);
    let s_low = ((f - s_high * t_high) - s_high * t_low) / t;
    let s = s_high + s_low;
    let z = s * s;
    let rest = s * z * (0.666666667 + z * (0.4 + z * (0.285714286 + z * (0.222222222 + z * 0.181818182))));
    // Their sum with e ln 2, the leading 12 bits apart; every part is known to its own precision.
    let e_high = e * 0.693145751953125;
    let high = lam_leading(e_high + 2.0 * s_high + rest);
    let low = (((e_high - high) + 2.0 * s_high) + rest) + (2.0 * s_low + e * 1.4286068e-6);
    return vec2<f32>(high, low);
}

// x^y: e^(y log x) with the product in two parts.
fn lam_pow(x: f32, y: f32) -> f32 {
    let x_bits = bitcast<u32>(x);
    let size_bits = x_bits & 0x7fffffffu;
    if ((bitcast<u32>(y) & 0x7fffffffu) == 0u || x_bits == 0x3f800000u) {
        return 1.0;
    }
    if (lam_is_nan(x) || lam_is_nan(y)) {
        return lam_nan();
    }
    let y_size = abs(y);
    // Beyond 2^24 every number is even.
    let whole = y_size >= 16777216.0 || floor(y) == y;
    let odd = whole && y_size < 16777216.0 && (u32(y_size) & 1u) == 1u;
    let negative = (x_bits & 0x80000000u) != 0u;
    let sign = select(1.0, -1.0, negative && odd);
    if (size_bits == 0u || size_bits == 0x7f800000u) {
        let grows = (size_bits == 0u) == (y < 0.0);
        return select(0.0, lam_inf(), grows) * sign;
    }
    if (lam_is_inf(y)) {
        if (size_bits == 0x3f800000u) {
            return 1.0;
        }
        return select(0.0, lam_inf(), (size_bits > 0x3f800000u) == (y > 0.0));
    }
    if (negative && !whole) {
        return lam_nan();
    }
    var parts: vec2<f32>;
    if (size_bits < 0x00800000u) {
        parts = lam_log_split(bitcast<u32>(f32(size_bits)), -149);
    } else {
        parts = lam_log_split(size_bits, 0);
    }
    if (y_size > 1e10) {
        // Out of range whatever x is, but for 1, which is above.
        let grows = (parts.x + parts.y > 0.0) == (y > 0.0);
        return select(select(0.0, lam_inf(), grows), 1.0, parts.x + parts.y == 0.0) * sign;
    }
    let y_high = lam_leading(y);
    let high = y_high * parts.x;
    let low = y * parts.y + (y - y_high) * parts.x;
    return lam_exp_sum(high, low) * sign;
}
