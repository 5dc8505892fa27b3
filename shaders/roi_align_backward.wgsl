// The gradient of the means of roi_align by the images: an invocation sums, for one element, what
// the bins of each region in order give it.

${ header }
# include "common/roi"
# include "common/roi_samples"

// The weight of an element in the mean of a bin along an axis.
fn share(cut: Cut, bin: u32, place: u32) -> f32 {
    // A bin reads at most one element beyond its ends.
    let ends = vec2<f32>(cut.start + f32(bin) * cut.step, cut.start + f32(bin + 1u) * cut.step);
    let at = f32(place);
    let beyond = min(ends.x, ends.y) > at + 1.0 && place + 1u < u32(cut.size);
    let before = max(ends.x, ends.y) < at - 1.0;
    if (beyond || before) {
        return 0.0;
    }
    let range = reach(cut, bin);
    var sum = 0.0;
    for (var number = range.x; number < range.y; number++) {
        var found = sample(cut, bin, number);
        for (var i = 0u; i < 2u; i++) {
            if (found.inside && found.place[i] == place) {
                sum += found.weight[i];
            }
        }
    }
    return sum / max(cut.count, 1.0);
}

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
    let column = index % params.width;
    let row = index / params.width % params.height;
    let plane = index / params.width / params.height;
    let channel = plane % params.channels;
    var sum = 0.0;
    for (var box = 0u; box < params.boxes; box++) {
        if (image_of(box) != plane / params.channels) {
            continue;
        }
        let rows = cut(corner(box, 1u), corner(box, 3u), params.rows, params.height);
        let columns = cut(corner(box, 0u), corner(box, 2u), params.columns, params.width);
        for (var i = 0u; i < params.rows; i++) {
            let down = share(rows, i, row);
            if (down == 0.0) {
                continue;
            }
            for (var j = 0u; j < params.columns; j++) {
                let across = share(columns, j, column);
                if (across != 0.0) {
                    let at = ((box * params.channels + channel) * params.rows + i) * params.columns + j;
                    sum += down * across * input[params.offset + at];
                }
            }
        }
    }
    output[index] = sum;
}
