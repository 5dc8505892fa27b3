// Determinants of matrices (count, n, n), an invocation each, by elimination with partial pivoting
// in scratch, where the same element of neighbouring matrices lies side by side.

${ header }
fn at(row: u32, column: u32, matrix: u32) -> u32 {
    return (row * params.n + column) * params.count + matrix;
}

// By size; NaN is the largest, so that it is met.
fn larger(a: f32, b: f32) -> bool {
    return abs(a) > abs(b) || (lam_is_nan(a) && !lam_is_nan(b));
}

@compute ${ workgroup }
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let matrix = lam_workgroup(group, groups) * ${ workgroup_invocations }u + local;
    if (matrix >= params.count) {
        return;
    }
    let n = params.n;
    for (var i = 0u; i < n * n; i++) {
        scratch[i * params.count + matrix] = input[params.offset + matrix * n * n + i];
    }
    var product = 1.0;
    for (var k = 0u; k < n; k++) {
        var best = k;
        for (var i = k + 1u; i < n; i++) {
            if (larger(scratch[at(i, k, matrix)], scratch[at(best, k, matrix)])) {
                best = i;
            }
        }
        if (best != k) {
            product = -product;
            for (var j = k; j < n; j++) {
                let upper = scratch[at(k, j, matrix)];
                scratch[at(k, j, matrix)] = scratch[at(best, j, matrix)];
                scratch[at(best, j, matrix)] = upper;
            }
        }
        let pivot = scratch[at(k, k, matrix)];
        product *= pivot;
        if (pivot == 0.0) {
            product = 0.0;
            break;
        }
        for (var i = k + 1u; i < n; i++) {
            let factor = scratch[at(i, k, matrix)] / pivot;
            for (var j = k + 1u; j < n; j++) {
                scratch[at(i, j, matrix)] -= factor * scratch[at(k, j, matrix)];
            }
        }
    }
    output[matrix] = product;
}
