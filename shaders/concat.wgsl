// One input put at its place along an axis of the output: `rows` of `width` go to rows of `out_width`, from
// column `start` on.  Widths are in words, or in bytes where a row may begin inside a word; then an
// invocation owns a whole word of the output and keeps what earlier inputs put there.

${ header }
@compute ${ workgroup }
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = lam_workgroup(group, groups) * ${ workgroup_invocations }u + local;
# if bytes
    if (index * 4u >= params.rows * params.out_width) {
        return;
    }
    var word = output[index];
    for (var lane = 0u; lane < 4u; lane++) {
        let place = index * 4u + lane;
        let row = place / params.out_width;
        let column = place % params.out_width - params.start;
        if (column < params.width && row < params.rows) {
            let place_in = params.offset + row * params.width + column;
            let byte = (input[place_in / 4u] >> (8u * (place_in % 4u))) & 0xffu;
            word = (word & ~(0xffu << (8u * lane))) | (byte << (8u * lane));
        }
    }
    output[index] = word;
# else
    if (index >= params.rows * params.width) {
        return;
    }
    let row = index / params.width;
    let column = index % params.width;
    output[row * params.out_width + params.start + column] = input[params.offset + index];
# endif
}
