// Frames summed where they overlap: input (outer, count, taps, inner), output (outer, axis, inner).
// Tap t of frame f lies at f * step + t * dilation.

${ header }
fn element(index: u32) -> f32 {
    let column = index % params.inner;
    let place = index / params.inner % params.axis;
    let outer = index / params.inner / params.axis;
    var sum = 0.0;
    for (var tap = 0u; tap < params.taps; tap++) {
        let before = tap * params.dilation;
        if (before > place) {
            break;
        }
        let frame = (place - before) / params.step;
        if (frame < params.count && frame * params.step + before == place) {
            let row = (outer * params.count + frame) * params.taps + tap;
            sum += input[params.offset + row * params.inner + column];
        }
    }
    return sum;
}

# include "common/quads"
