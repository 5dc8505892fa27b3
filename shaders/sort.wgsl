// Bitonic sorting of lines in blocks of ${ block } pairs of key and place.  Places settle ties, so
// the order is that of a stable sort.  A line of one block goes from the input to the output; a
// longer one is sorted in blocks first, then merged by `sort_step` and by this for short strides.

${ header }
var<workgroup> pairs: array<vec2<u32>, ${ block }>;

# if from_input
// Behind the end of a line: after everything.
fn fetch(line: u32, i: u32) -> vec2<u32> {
    if (i >= params.axis) {
        return vec2<u32>(0xffffffffu, i);
    }
    let at = params.offset + (line / params.inner * params.axis + i) * params.inner + line % params.inner;
    let x = ${ load };
    let order = ${ order };
    return vec2<u32>(${ "~order" if descending else "order" }, i);
}
# endif

fn exchange(local: u32, first: u32, size: u32, stride: u32) {
    for (var t = local; t < ${ block // 2 }u; t += ${ workgroup_invocations }u) {
        let i = 2u * t - (t & (stride - 1u));
        let rising = ((first + i) & size) == 0u;
        let a = pairs[i];
        let b = pairs[i + stride];
        if (lam_after(a, b) == rising) {
            pairs[i] = b;
            pairs[i + stride] = a;
        }
    }
}

@compute ${ workgroup }
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = lam_workgroup(group, groups);
    if (number >= params.lines * params.blocks) {
        return;
    }
    let line = number / params.blocks;
    let first = number % params.blocks * ${ block }u;
    for (var i = local; i < ${ block }u; i += ${ workgroup_invocations }u) {
# if from_input
        pairs[i] = fetch(line, first + i);
# else
        pairs[i] = scratch[number * ${ block }u + i];
# endif
    }
# if from_input
    for (var size = 2u; size <= ${ block }u; size = size * 2u) {
        for (var stride = size / 2u; stride > 0u; stride = stride / 2u) {
            workgroupBarrier();
            exchange(local, first, size, stride);
        }
    }
# else
    for (var stride = ${ block // 2 }u; stride > 0u; stride = stride / 2u) {
        workgroupBarrier();
        exchange(local, first, params.span, stride);
    }
# endif
    workgroupBarrier();
    for (var i = local; i < ${ block }u; i += ${ workgroup_invocations }u) {
# if to_output
        let place = first + i;
        if (place < params.count) {
            let at = (line / params.inner * params.count + place) * params.inner + line % params.inner;
            output[at] = vec2<u32>(pairs[i].y, 0u);
        }
# else
        scratch[number * ${ block }u + i] = pairs[i];
# endif
    }
}
