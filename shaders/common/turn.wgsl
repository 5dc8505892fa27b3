// Parts of a turn.

// cos and sin of the part t / n of a turn, t < n < 2^29: whole quarters are taken off as integers,
// so that the angle is at most an eighth.
fn lam_turn(t: u32, n: u32) -> vec2<f32> {
    let quarter = 4u * t / n;
    let rest = 4u * t - quarter * n;
    let mirrored = 2u * rest > n;
    let angle = 1.57079633 * (f32(select(rest, n - rest, mirrored)) / f32(n));
    let near = vec2<f32>(lam_cos_small(angle), lam_sin_small(angle));
    let turned = select(near, near.yx, mirrored);
    if (quarter == 0u) {
        return turned;
    }
    if (quarter == 1u) {
        return vec2<f32>(-turned.y, turned.x);
    }
    if (quarter == 2u) {
        return -turned;
    }
    return vec2<f32>(turned.y, -turned.x);
}

// j * j modulo n < 2^30.
fn lam_square_modulo(j: u32, n: u32) -> u32 {
    var sum = 0u;
    var power = j % n;
    for (var left = j; left > 0u; left = left >> 1u) {
        if ((left & 1u) == 1u) {
            sum = (sum + power) % n;
        }
        power = 2u * power % n;
    }
    return sum;
}

// x (cos + i sin).
fn lam_rotated(x: vec2<f32>, turn: vec2<f32>) -> vec2<f32> {
    return vec2<f32>(x.x * turn.x - x.y * turn.y, x.x * turn.y + x.y * turn.x);
}

// x (cos - i sin).
fn lam_rotated_back(x: vec2<f32>, turn: vec2<f32>) -> vec2<f32> {
    return vec2<f32>(x.x * turn.x + x.y * turn.y, x.y * turn.x - x.x * turn.y);
}
