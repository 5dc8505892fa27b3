// The mean, the sum of squared differences from it and the count of some numbers: Welford's with
// one more number, and two of them merged as Chan et al. 1979 do.
fn with_value(total: vec4<f32>, value: f32) -> vec4<f32> {
    let count = total.z + 1.0;
    let difference = value - total.x;
    let centre = total.x + difference / count;
    return vec4<f32>(centre, total.y + difference * (value - centre), count, 0.0);
}

fn combine(a: vec4<f32>, b: vec4<f32>) -> vec4<f32> {
    let count = a.z + b.z;
    if (count == 0.0) {
        return a;
    }
    let share = b.z / count;
    let difference = b.x - a.x;
    return vec4<f32>(
        a.x + difference * share,
        a.y + b.y + difference * difference * a.z * share,
        count,
        0.0,
    );
}
