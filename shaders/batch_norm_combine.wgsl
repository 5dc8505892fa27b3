fn combine(a: vec4<f32>, b: vec4<f32>) -> vec4<f32> {
# if backward
    return a + b;
# else
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
# endif
}
