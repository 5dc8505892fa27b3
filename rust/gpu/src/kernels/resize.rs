//! Planes resampled by tables of places and weights.

use super::{
    Arg, Kernel, Kernels,
    quads::{contiguous, quads, workgroup},
};
use crate::{
    adapter::Caps,
    error::{GpuError, Result},
    params::{Params, params},
    program::Access,
    storage::Operand,
};

const KERNEL: &str = "resize";
/// Bytes that a uniform buffer may hold.
const MOST: usize = 1 << 16;

/// What each output position of an axis is made of: the input positions and their weights from
/// number `starts[o]` to `starts[o + 1]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AxisTable {
    pub input: usize,
    pub starts: Vec<u32>,
    pub places: Vec<u32>,
    pub weights: Vec<f32>,
}

impl AxisTable {
    fn output(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    fn is_sound(&self) -> bool {
        let end = self.starts.last().map(|&n| n as usize);
        end == Some(self.places.len())
            && self.weights.len() == self.places.len()
            && self.starts.is_sorted()
            && self.places.iter().all(|&p| (p as usize) < self.input)
    }
}

params! {
    struct ResizeParams {
        size: u32,
        height: u32,
        width: u32,
        in_height: u32,
        in_width: u32,
        offset: u32,
        row_starts: Vec<u32>,
        row_places: Vec<u32>,
        row_weights: Vec<f32>,
        col_starts: Vec<u32>,
        col_places: Vec<u32>,
        col_weights: Vec<f32>,
    }
}

/// The last two axes of `x` by the tables of rows and columns.  With `nearest` each position has
/// one place of weight 1, and elements are moved as they are; else they are floats.
pub fn resize(
    x: &Operand,
    rows: &AxisTable,
    columns: &AxisTable,
    nearest: bool,
    caps: &Caps,
) -> Result<Kernels> {
    let refuse = |reason: String| Err(GpuError::unsupported(KERNEL, reason));
    contiguous(KERNEL, x)?;
    let &[.., in_height, in_width] = x.shape.as_slice() else {
        return refuse(format!("shape {:?} has no rows and columns", x.shape));
    };
    let sound = rows.is_sound() && columns.is_sound();
    if !sound || rows.input != in_height || columns.input != in_width {
        return refuse("the tables do not fit the input".to_owned());
    }
    let single = |t: &AxisTable| t.starts.iter().enumerate().all(|(i, &s)| i == s as usize);
    if nearest && !(single(rows) && single(columns)) {
        return refuse("nearest takes one place for each position".to_owned());
    }
    let (height, width) = (rows.output(), columns.output());
    let planes: usize = x.shape[..x.shape.len() - 2].iter().product();
    let size = planes * height * width;
    if size == 0 {
        return Ok(Kernels::default());
    }
    let storage = if nearest { x.storage.bits() } else { x.storage };
    if !nearest && storage.value() != "f32" {
        return refuse(format!("it does not weigh {storage:?}"));
    }
    Operand::contiguous(storage, &[size]).check(KERNEL)?;
    let list = |l: &[u32]| if nearest { Vec::new() } else { l.to_vec() };
    let weights = |l: &[f32]| if nearest { Vec::new() } else { l.to_vec() };
    let params = ResizeParams {
        size: size as u32,
        height: height as u32,
        width: width as u32,
        in_height: in_height as u32,
        in_width: in_width as u32,
        offset: x.offset as u32,
        row_starts: list(&rows.starts),
        row_places: rows.places.clone(),
        row_weights: weights(&rows.weights),
        col_starts: list(&columns.starts),
        col_places: columns.places.clone(),
        col_weights: weights(&columns.weights),
    };
    let params = Params::of(&params.fields());
    if params.bytes.len() > MOST {
        let bytes = params.bytes.len();
        return refuse(format!("its tables of {bytes} bytes exceed {MOST}"));
    }
    let kernel = Kernel::new(KERNEL, workgroup(caps))
        .params(params)
        .set("nearest", nearest)
        .set("load", storage.load("input", "at"))
        .bind("input", storage.word(), Access::Read, Arg::Input(0));
    quads(kernel, storage, size, caps)
}
