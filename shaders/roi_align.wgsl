// Regions of images at one size: an invocation finds the mean of a bin's samples, or the largest
// of the weighted elements that they lie between.

${ header }
# include "common/roi"
# include "common/roi_samples"

@compute ${ workgroup }
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = lam_workgroup(group, groups) * ${ workgroup_invocations }u + local;
    if (index >= params.size) {
        return;
    }
    let column = index % params.columns;
    let row = index / params.columns % params.rows;
    let plane = index / params.columns / params.rows;
    let box = plane / params.channels;
    let image = image_of(box);
    let rows = cut(corner(box, 1u), corner(box, 3u), params.rows, params.height);
    let columns = cut(corner(box, 0u), corner(box, 2u), params.columns, params.width);
    let down = reach(rows, row);
    let across = reach(columns, column);
    let base = params.offset + (image * params.channels + plane % params.channels) * params.height * params.width;
# if max
    var best = 0.0;
    var any = false;
    var inside = 0.0;
# else
    var sum = 0.0;
# endif
    for (var y = down.x; y < down.y; y++) {
        var vertical = sample(rows, row, y);
        if (!vertical.inside) {
            continue;
        }
        for (var x = across.x; x < across.y; x++) {
            var horizontal = sample(columns, column, x);
            if (!horizontal.inside) {
                continue;
            }
# if max
            inside += 1.0;
# endif
            for (var i = 0u; i < 4u; i++) {
                let at = vertical.place[i / 2u] * params.width + horizontal.place[i % 2u];
                let value = vertical.weight[i / 2u] * horizontal.weight[i % 2u] * input[base + at];
# if max
                if (!any || value > best || lam_is_nan(value)) {
                    best = value;
                    any = true;
                }
# else
                sum += value;
# endif
            }
        }
    }
# if max
    // Those outside are 0.
    if (inside < rows.count * columns.count && best < 0.0) {
        best = 0.0;
    }
    output[index] = best;
# else
    output[index] = sum / max(rows.count * columns.count, 1.0);
# endif
}
