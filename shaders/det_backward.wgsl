// Cofactors of matrices (count, n, n) times g, an invocation each.  With complete pivoting a matrix
// is P L U Q, and the adjugate of U needs no division by its last pivot: only that can be near 0
// where there are cofactors.  Scratch is as in det, a column and two permutations behind each
// matrix.

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
    let first = matrix * n * n;
    for (var i = 0u; i < n * n; i++) {
        scratch[i * params.count + matrix] = input[params.offset + first + i];
        output[first + i] = 0.0;
    }
    // Rows n, n + 1 and n + 2 of scratch: where rows and columns came from, and a column.
    for (var i = 0u; i < n; i++) {
        scratch[at(n, i, matrix)] = f32(i);
        scratch[at(n + 1u, i, matrix)] = f32(i);
    }
    var product = g[params.g_offset + matrix];
    for (var k = 0u; k < n; k++) {
        var row = k;
        var column = k;
        for (var i = k; i < n; i++) {
            for (var j = k; j < n; j++) {
                if (larger(scratch[at(i, j, matrix)], scratch[at(row, column, matrix)])) {
                    row = i;
                    column = j;
                }
            }
        }
        if (row != k) {
            product = -product;
            for (var j = 0u; j < n; j++) {
                let upper = scratch[at(k, j, matrix)];
                scratch[at(k, j, matrix)] = scratch[at(row, j, matrix)];
                scratch[at(row, j, matrix)] = upper;
            }
            let held = scratch[at(n, k, matrix)];
            scratch[at(n, k, matrix)] = scratch[at(n, row, matrix)];
            scratch[at(n, row, matrix)] = held;
        }
        if (column != k) {
            product = -product;
            // The matrix, and the columns' permutation below it but for that of the rows.
            for (var i = 0u; i < n + 2u; i++) {
                if (i == n) {
                    continue;
                }
                let left = scratch[at(i, k, matrix)];
                scratch[at(i, k, matrix)] = scratch[at(i, column, matrix)];
                scratch[at(i, column, matrix)] = left;
            }
        }
        if (k + 1u == n) {
            break;
        }
        let pivot = scratch[at(k, k, matrix)];
        product *= pivot;
        if (pivot == 0.0) {
            return;
        }
        for (var i = k + 1u; i < n; i++) {
            let factor = scratch[at(i, k, matrix)] / pivot;
            scratch[at(i, k, matrix)] = factor;
            for (var j = k + 1u; j < n; j++) {
                scratch[at(i, j, matrix)] -= factor * scratch[at(k, j, matrix)];
            }
        }
    }
    let last = scratch[at(n - 1u, n - 1u, matrix)];
    let z = n + 2u;
    for (var c = 0u; c < n; c++) {
        for (var i = 0u; i < n; i++) {
            var sum = select(0.0, 1.0, i == c);
            for (var k = c; k < i; k++) {
                sum -= scratch[at(i, k, matrix)] * scratch[at(z, k, matrix)];
            }
            scratch[at(z, i, matrix)] = sum;
        }
        for (var back = 1u; back < n; back++) {
            let i = n - 1u - back;
            var sum = scratch[at(z, i, matrix)] * last;
            for (var k = i + 1u; k < n; k++) {
                sum -= scratch[at(i, k, matrix)] * scratch[at(z, k, matrix)];
            }
            scratch[at(z, i, matrix)] = sum / scratch[at(i, i, matrix)];
        }
        let row = u32(scratch[at(n, c, matrix)]);
        for (var i = 0u; i < n; i++) {
            let column = u32(scratch[at(n + 1u, i, matrix)]);
            output[first + row * n + column] = product * scratch[at(z, i, matrix)];
        }
    }
}
