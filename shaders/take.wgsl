// Slices of an axis by index: x (outer, axis, inner), indices (count), output (outer, count, inner).

${ header }
# include "common/fetch_index"

fn element(index: u32) -> ${ value } {
    let column = index % params.inner;
    let row = index / params.inner;
    let outer = row / params.count;
    let place = fetch_index(params.index_offset + row % params.count, params.axis);
    let at = params.offset + (outer * params.axis + place) * params.inner + column;
    return ${ load };
}

# include "common/quads"
