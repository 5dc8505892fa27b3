// A pass of radix ${ radix } (Stockham's): of transforms `side` abreast to ${ radix } times as many,
// `apart` points each.

${ header }
@compute ${ workgroup }
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = lam_workgroup(group, groups) * ${ workgroup_invocations }u + local;
    if (index >= params.apart * params.side) {
        return;
    }
    let p = index / params.side;
    let q = index % params.side;
# for j in range(radix)
    let x${ j } = source[params.side * (p + ${ j }u * params.apart) + q];
# endfor
# if radix == 2
    let y0 = x0 + x1;
    let y1 = x0 - x1;
# elif radix == 3
    let sum = x1 + x2;
    let middle = x0 - 0.5 * sum;
    let turned = 0.8660254037844386 * vec2<f32>(x1.y - x2.y, x2.x - x1.x);
    let y0 = x0 + sum;
    let y1 = middle + turned;
    let y2 = middle - turned;
# elif radix == 4
    let even = x0 + x2;
    let odd = x1 + x3;
    let left = x0 - x2;
    let turned = vec2<f32>(x1.y - x3.y, x3.x - x1.x);
    let y0 = even + odd;
    let y1 = left + turned;
    let y2 = even - odd;
    let y3 = left - turned;
# else
    let outer = x1 + x4;
    let inner = x2 + x3;
    let across = vec2<f32>(x1.y - x4.y, x4.x - x1.x);
    let between = vec2<f32>(x2.y - x3.y, x3.x - x2.x);
    let near = x0 + 0.30901699437494745 * outer - 0.8090169943749475 * inner;
    let far = x0 - 0.8090169943749475 * outer + 0.30901699437494745 * inner;
    let near_turned = 0.9510565162951535 * across + 0.5877852522924731 * between;
    let far_turned = 0.5877852522924731 * across - 0.9510565162951535 * between;
    let y0 = x0 + outer + inner;
    let y1 = near + near_turned;
    let y2 = far + far_turned;
    let y3 = far - far_turned;
    let y4 = near - near_turned;
# endif
    let at = params.side * ${ radix }u * p + q;
    result[at] = y0;
# for k in range(1, radix)
    result[at + ${ k }u * params.side] = lam_rotated_back(y${ k }, lam_turn(${ k }u * p * params.step, params.length));
# endfor
}
