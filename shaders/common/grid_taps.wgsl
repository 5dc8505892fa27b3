// Where a coordinate of a grid reads along an axis: elements (-1: none) with their weights, and how
// these change with the coordinate.
const TAPS = ${ taps }u;
const NEAREST = ${ "true" if mode == "nearest" else "false" };
const CUBIC = ${ "true" if mode == "cubic" else "false" };
const ZEROS = ${ "true" if padding == "zeros" else "false" };
const REFLECTION = ${ "true" if padding == "reflection" else "false" };
const ALIGNED = ${ "true" if align_corners else "false" };
// Coordinates beyond this are as far as any: infinite ones too.
const FAR = 1e9;

struct Taps {
    place: array<i32, TAPS>,
    weight: array<f32, TAPS>,
    slope: array<f32, TAPS>,
}

// A place mirrored at both ends, and its derivative.
fn reflected(at: f32, size: f32) -> vec2<f32> {
    let low = select(-0.5, 0.0, ALIGNED);
    let span = select(size, size - 1.0, ALIGNED);
    if (span == 0.0) {
        return vec2<f32>(0.0, 0.0);
    }
    let sign = select(1.0, -1.0, at < low);
    let start = abs(at - low);
    let turns = floor(start / span);
    let rest = start - turns * span;
    if (turns - 2.0 * floor(turns / 2.0) == 0.0) {
        return vec2<f32>(low + rest, sign);
    }
    return vec2<f32>(low + span - rest, -sign);
}

// A place after padding, and its derivative.
fn inside(place: f32, size: f32) -> vec2<f32> {
    if (ZEROS) {
        return vec2<f32>(place, 1.0);
    }
    var at = vec2<f32>(place, 1.0);
    if (REFLECTION) {
        at = reflected(place, size);
    }
    let within = at.x > 0.0 && at.x < size - 1.0;
    return vec2<f32>(clamp(at.x, 0.0, size - 1.0), select(0.0, at.y, within));
}

fn element_at(at: f32, size: f32) -> i32 {
    return select(-1, i32(at), at >= 0.0 && at < size);
}

// Keys' kernel with a = -0.75 at a distance up to 2, and its derivative.
fn keys(d: f32) -> vec2<f32> {
    if (d <= 1.0) {
        return vec2<f32>((1.25 * d - 2.25) * d * d + 1.0, (3.75 * d - 4.5) * d);
    }
    return vec2<f32>(((-0.75 * d + 3.75) * d - 6.0) * d + 3.0, (-2.25 * d + 7.5) * d - 6.0);
}

fn locate(coordinate: f32, axis: u32) -> Taps {
    let size = f32(axis);
    let span = select(size, size - 1.0, ALIGNED);
    let nan = lam_is_nan(coordinate);
    let far = nan || !(abs(coordinate) <= FAR);
    var near = -1.0;
    if (!far) {
        near = coordinate;
    } else if (!nan && !REFLECTION) {
        near = select(FAR, -FAR, coordinate < 0.0);
    }
    let scale = select(0.5 * span, 0.0, far);
    var at = ((near + 1.0) * span - select(1.0, 0.0, ALIGNED)) / 2.0;
    var taps: Taps;
    if (CUBIC) {
        if (!REFLECTION) {
            at = clamp(at, -4.0, size + 3.0);
        }
        let low = floor(at);
        let t = at - low;
        for (var tap = 0u; tap < TAPS; tap++) {
            let place = low + f32(tap) - 1.0;
            taps.place[tap] = element_at(round(inside(place, size).x), size);
            let found = keys(abs(t + 1.0 - f32(tap)));
            taps.weight[tap] = found.x;
            taps.slope[tap] = select(-found.y, found.y, tap < 2u) * scale;
        }
        return taps;
    }
    let found = inside(at, size);
    at = clamp(found.x, -2.0, size + 1.0);
    if (NEAREST) {
        taps.place[0] = element_at(round(at), size);
        taps.weight[0] = 1.0;
        return taps;
    }
    let low = floor(at);
    for (var tap = 0u; tap < TAPS; tap++) {
        taps.place[tap] = element_at(low + f32(tap), size);
        taps.weight[tap] = select(at - low, low + 1.0 - at, tap == 0u);
        taps.slope[tap] = select(1.0, -1.0, tap == 0u) * scale * found.y;
    }
    return taps;
}
