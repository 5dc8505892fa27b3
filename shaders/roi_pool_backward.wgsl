// The gradient of roi_pool: an invocation sums, for one element, the gradients of the bins whose
// largest it is, regions in order.

${ header }
# include "common/roi"

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
    let size = params.height * params.width;
    let own = i32(index % size);
    let plane = index / size;
    let channel = plane % params.channels;
    let bins = params.rows * params.columns;
    var sum = 0.0;
    for (var box = 0u; box < params.boxes; box++) {
        if (image_of(box) != plane / params.channels) {
            continue;
        }
        let start = (box * params.channels + channel) * bins;
        for (var bin = start; bin < start + bins; bin++) {
            if (places[params.place_offset + bin] == own) {
                sum += input[params.offset + bin];
            }
        }
    }
    output[index] = sum;
}
