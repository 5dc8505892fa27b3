// Max pooling: each invocation finds the first maximum of one window.  Places are numbers in the
// input's plane, -1 for a window that lies in the padding alone.

${ header }
@compute ${ workgroup }
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = lam_workgroup(group, groups) * ${ workgroup_invocations }u + local;
    if (number >= params.size) {
        return;
    }
# include "window_first"
    let base = params.offset + plane * u32(params.height * params.width);
    var best = -lam_inf();
    var place = -1;
    for (var ky = 0; ky < params.kernel_y; ky++) {
        let y = first_y + ky * params.dilation_y;
        if (y < 0 || y >= params.height) {
            continue;
        }
        for (var kx = 0; kx < params.kernel_x; kx++) {
            let x = first_x + kx * params.dilation_x;
            if (x < 0 || x >= params.width) {
                continue;
            }
            let at = y * params.width + x;
            let value = source[base + u32(at)];
            let nan = lam_is_nan(value);
            if (place < 0 || (!lam_is_nan(best) && (nan || value > best))) {
                best = value;
                place = at;
            }
        }
    }
# if values
    result[number] = best;
# endif
# if places == "i64"
    places[2u * number] = bitcast<u32>(place);
    places[2u * number + 1u] = bitcast<u32>(place >> 31u);
# elif places == "i32"
    places[number] = place;
# endif
}
