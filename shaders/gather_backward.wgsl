// Elements summed where their indices say: g and indices (outer, count, inner), output
// (outer, axis, inner).  Each place goes through the indices in order, so the result is always the
// same.  With `base` (the op scatter) a place starts with the element of another input, and `add`
// may also be the last that comes to it, a product or an extreme.

${ header }
# include "common/fetch_index"

fn load(at: u32) -> ${ value } {
    return ${ load };
}

fn element(index: u32) -> ${ value } {
    let column = index % params.inner;
    let place = index / params.inner % params.axis;
    let outer = index / params.inner / params.axis;
# if base
    var sum = ${ base };
# else
    var sum = ${ zero };
# endif
    for (var k = 0u; k < params.count; k++) {
        let at = (outer * params.count + k) * params.inner + column;
        if (fetch_index(params.index_offset + at, params.axis) == place) {
            sum = ${ add };
        }
    }
    return sum;
}

# include "common/quads"
