//! Images read at the places that a grid names, and the gradients.

use super::{
    Arg, Kernel, Kernels,
    quads::{contiguous, quads, workgroup},
};
use crate::{
    adapter::Caps,
    error::{GpuError, Result},
    params::{Params, params},
    program::Access,
    storage::{Operand, Storage},
};

params! {
    struct GridParams {
        size: u32,
        channels: u32,
        positions: u32,
        plane: u32,
        offset: u32,
        grid_offset: u32,
        g_offset: u32,
        tiles: u32,
        chunks: u32,
        size0: u32,
        size1: u32,
        size2: u32,
    }
}

/// Images (batch, channels, axes) and a grid (batch, positions.., axes).
#[derive(Clone, Copy, Debug)]
pub struct GridSample<'a> {
    /// `nearest`, `linear` or `cubic`.
    pub mode: &'static str,
    /// `zeros`, `border` or `reflection`.
    pub padding: &'static str,
    pub align_corners: bool,
    /// The images' shape.
    pub images: &'a [usize],
}

impl GridSample<'_> {
    fn rank(&self) -> usize {
        self.images.len() - 2
    }

    fn taps(&self) -> usize {
        match self.mode {
            "nearest" => 1,
            "linear" => 2,
            _ => 4,
        }
    }

    /// Checks what the grid and the images are; the parameters but for what is
    /// an operand's.
    fn params(&self, name: &str, grid: &Operand) -> Result<GridParams> {
        let images = self.images;
        let axes = images.get(2..).unwrap_or_default();
        let fits = (1..=3).contains(&axes.len())
            && grid.shape.len() >= 2
            && grid.shape.first() == images.first()
            && grid.shape.last() == Some(&axes.len())
            && axes.iter().all(|&n| n > 0 && n < 1 << 24)
            && grid.storage == Storage::F32;
        if !fits {
            let reason = format!("{grid:?} for images {images:?}");
            return Err(GpuError::unsupported(name, reason));
        }
        contiguous(name, grid)?;
        Operand::contiguous(Storage::F32, images).check(name)?;
        let size = |axis: usize| axes.get(axis).map_or(1, |&n| n as u32);
        Ok(GridParams {
            size: 0,
            channels: images[1] as u32,
            positions: grid.shape[1..grid.shape.len() - 1]
                .iter()
                .product::<usize>() as u32,
            plane: axes.iter().product::<usize>() as u32,
            offset: 0,
            grid_offset: grid.offset as u32,
            g_offset: 0,
            tiles: 0,
            chunks: 0,
            size0: size(0),
            size1: size(1),
            size2: size(2),
        })
    }

    fn kernel(
        &self,
        name: &'static str,
        workgroup: [u32; 3],
        params: &GridParams,
        grid: usize,
    ) -> Kernel {
        Kernel::new(name, workgroup)
            .params(Params::of(&params.fields()))
            .set("rank", self.rank())
            .set("taps", self.taps())
            .set("mode", self.mode)
            .set("padding", self.padding)
            .set("align_corners", self.align_corners)
            .bind("grid", "f32", Access::Read, Arg::Input(grid))
    }
}

/// `x` where `grid` says; with `nearest`, elements of any kind.
pub fn grid_sample(
    x: &Operand,
    grid: &Operand,
    form: GridSample<'_>,
    caps: &Caps,
) -> Result<Kernels> {
    const NAME: &str = "grid_sample";
    let mut params = form.params(NAME, grid)?;
    contiguous(NAME, x)?;
    let storage = if form.mode == "nearest" {
        x.storage.bits()
    } else {
        x.storage
    };
    if x.shape != form.images || (form.mode != "nearest" && storage.value() != "f32") {
        let reason = format!("it does not weigh {x:?}");
        return Err(GpuError::unsupported(NAME, reason));
    }
    let size = x.shape[0] * x.shape[1] * params.positions as usize;
    if size == 0 {
        return Ok(Kernels::default());
    }
    Operand::contiguous(storage, &[size]).check(NAME)?;
    params.size = size as u32;
    params.offset = x.offset as u32;
    let kernel = (form.kernel(NAME, workgroup(caps), &params, 1))
        .set("load", storage.load("input", "at"))
        .bind("input", storage.word(), Access::Read, Arg::Input(0));
    quads(kernel, storage, size, caps)
}

fn gradient(name: &str, g: &Operand, params: &mut GridParams) -> Result<()> {
    contiguous(name, g)?;
    if g.storage != Storage::F32 {
        return Err(GpuError::unsupported(name, format!("{g:?}")));
    }
    params.g_offset = g.offset as u32;
    Ok(())
}

/// The gradient by the input, from the output's gradient and the grid.
pub fn grid_sample_backward_input(
    g: &Operand,
    grid: &Operand,
    form: GridSample<'_>,
    caps: &Caps,
) -> Result<Kernels> {
    const NAME: &str = "grid_sample_backward_input";
    let mut params = form.params(NAME, grid)?;
    gradient(NAME, g, &mut params)?;
    if form.images.contains(&0) {
        return Ok(Kernels::default());
    }
    let bytes = |width: u32| width as usize * (form.rank() * form.taps() * 8) + width as usize / 8;
    // Bits of hits fill whole words, and places and weights the portable workgroup memory.
    let most = caps.max_invocations.min(128) / 32 * 32;
    let width = [128, 64, 32]
        .into_iter()
        .find(|&w| w <= most && bytes(w) <= 1 << 14);
    let Some(width) = width else {
        return Err(GpuError::unsupported(
            NAME,
            "workgroups are too small".to_owned(),
        ));
    };
    params.tiles = params.plane.div_ceil(width);
    params.chunks = params.channels.div_ceil(4);
    let units = form.images[0] as u64 * u64::from(params.tiles) * u64::from(params.chunks);
    params.size = units.min(u64::from(u32::MAX)) as u32;
    (form.kernel(NAME, [width, 1, 1], &params, 1))
        .bind("g", "f32", Access::Read, Arg::Input(0))
        .bind("output", "f32", Access::ReadWrite, Arg::Output(0))
        .shared(bytes(width))
        .build(units)
        .map(Kernels::from)
}

/// The gradient by the grid, from the output's gradient, the input and the
/// grid.
pub fn grid_sample_backward_grid(
    g: &Operand,
    x: &Operand,
    grid: &Operand,
    form: GridSample<'_>,
    caps: &Caps,
) -> Result<Kernels> {
    const NAME: &str = "grid_sample_backward_grid";
    let mut params = form.params(NAME, grid)?;
    gradient(NAME, g, &mut params)?;
    contiguous(NAME, x)?;
    if x.storage != Storage::F32 || x.shape != form.images {
        return Err(GpuError::unsupported(NAME, format!("{x:?}")));
    }
    let size = x.shape[0] * params.positions as usize;
    if size == 0 {
        return Ok(Kernels::default());
    }
    params.size = size as u32;
    params.offset = x.offset as u32;
    let width = workgroup(caps);
    (form.kernel(NAME, width, &params, 2))
        .bind("g", "f32", Access::Read, Arg::Input(0))
        .bind("input", "f32", Access::Read, Arg::Input(1))
        .bind("output", "f32", Access::ReadWrite, Arg::Output(0))
        .build((size as u64).div_ceil(u64::from(width[0])))
        .map(Kernels::from)
}
