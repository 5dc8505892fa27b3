// Planes resampled by tables: each output row is a weighted sum of input rows `row_places`, from
// number `row_starts` to that of the next row; columns likewise.  With the tables turned it is the
// gradient.

${ header }
# macro at(list, index)
params.${ list }[(${ index }) / 4u][(${ index }) % 4u]
# endmacro
fn element(index: u32) -> ${ value } {
    let column = index % params.width;
    let row = index / params.width % params.height;
    let plane = params.offset + index / params.width / params.height * params.in_height * params.in_width;
# if nearest
    let r = ${ at("row_places", "row") };
    let c = ${ at("col_places", "column") };
    let at = plane + r * params.in_width + c;
    return ${ load };
# else
    var sum = 0.0;
    for (var i = ${ at("row_starts", "row") }; i < ${ at("row_starts", "row + 1u") }; i++) {
        let start = plane + ${ at("row_places", "i") } * params.in_width;
        var line = 0.0;
        for (var j = ${ at("col_starts", "column") }; j < ${ at("col_starts", "column + 1u") }; j++) {
            let at = start + ${ at("col_places", "j") };
            line += ${ at("col_weights", "j") } * ${ load };
        }
        sum += ${ at("row_weights", "i") } * line;
    }
    return sum;
# endif
}

# include "common/quads"
