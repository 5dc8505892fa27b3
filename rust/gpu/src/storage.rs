//! How elements lie in a buffer, and the operands that kernels read.

use crate::error::{GpuError, Result};

/// How elements lie in u32 words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Storage {
    F32,
    I32,
    U32,
    /// Two words, the low one first.
    I64,
    U64,
    /// Two to a word, the first in the low half.
    F16,
    BF16,
    I16,
    U16,
    /// Four to a word, the first in the lowest byte.
    I8,
    U8,
    Bool,
}

impl Storage {
    pub const ALL: [Storage; 12] = [
        Storage::F32,
        Storage::I32,
        Storage::U32,
        Storage::I64,
        Storage::U64,
        Storage::F16,
        Storage::BF16,
        Storage::I16,
        Storage::U16,
        Storage::I8,
        Storage::U8,
        Storage::Bool,
    ];

    /// Bytes of one element.
    pub const fn bytes(self) -> usize {
        match self {
            Storage::F32 | Storage::I32 | Storage::U32 => 4,
            Storage::I64 | Storage::U64 => 8,
            Storage::F16 | Storage::BF16 | Storage::I16 | Storage::U16 => 2,
            Storage::I8 | Storage::U8 | Storage::Bool => 1,
        }
    }

    /// The WGSL type that a kernel computes with.
    pub const fn value(self) -> &'static str {
        match self {
            Storage::F32 | Storage::F16 | Storage::BF16 => "f32",
            Storage::I32 | Storage::I16 | Storage::I8 => "i32",
            Storage::U32 | Storage::U16 | Storage::U8 => "u32",
            Storage::I64 | Storage::U64 => "vec2<u32>",
            Storage::Bool => "bool",
        }
    }

    /// The WGSL type of a buffer's array elements where single elements are read.
    pub const fn word(self) -> &'static str {
        match self {
            Storage::F32 => "f32",
            Storage::I32 => "i32",
            _ => "u32",
        }
    }

    /// The WGSL type of four elements at once.
    pub const fn quad(self) -> &'static str {
        match self {
            Storage::F32 => "vec4<f32>",
            Storage::I32 => "vec4<i32>",
            Storage::U32 | Storage::I64 | Storage::U64 => "vec4<u32>",
            Storage::F16 | Storage::BF16 | Storage::I16 | Storage::U16 => "vec2<u32>",
            Storage::I8 | Storage::U8 | Storage::Bool => "u32",
        }
    }

    /// `quad` or `word`.
    pub const fn element(self, quad: bool) -> &'static str {
        if quad { self.quad() } else { self.word() }
    }

    /// Whether four elements are one array element of type `quad`.
    pub const fn has_quads(self) -> bool {
        self.bytes() < 8
    }

    /// WGSL: the value of element `index` of an array of `word`s named `name`.
    pub fn load(self, name: &str, index: &str) -> String {
        match self {
            Storage::F32 | Storage::I32 | Storage::U32 => format!("{name}[{index}]"),
            Storage::I64 | Storage::U64 => {
                format!("vec2<u32>({name}[2u * ({index})], {name}[2u * ({index}) + 1u])")
            }
            Storage::F16 | Storage::BF16 | Storage::I16 | Storage::U16 => {
                let half = format!("(({index}) & 1u) * 16u");
                self.unpack(&format!("({name}[({index}) >> 1u] >> ({half}))"))
            }
            Storage::I8 | Storage::U8 | Storage::Bool => {
                let byte = format!("(({index}) & 3u) * 8u");
                self.unpack(&format!("({name}[({index}) >> 2u] >> ({byte}))"))
            }
        }
    }

    /// WGSL: the value of lane 0 to 3 of a `quad` named `name`.
    pub fn lane(self, name: &str, lane: usize) -> String {
        let component = ["x", "y", "z", "w"][lane & 3];
        match self {
            Storage::F32 | Storage::I32 | Storage::U32 => format!("{name}.{component}"),
            Storage::I64 | Storage::U64 => {
                let pair = ["xy", "zw"][lane & 1];
                format!("{name}.{pair}")
            }
            Storage::F16 | Storage::BF16 | Storage::I16 | Storage::U16 => {
                let (word, shift) = (["x", "y"][(lane >> 1) & 1], 16 * (lane & 1));
                self.unpack(&format!("({name}.{word} >> {shift}u)"))
            }
            Storage::I8 | Storage::U8 | Storage::Bool => {
                self.unpack(&format!("({name} >> {}u)", 8 * (lane & 3)))
            }
        }
    }

    /// WGSL: a value from the low bits of a word.
    fn unpack(self, word: &str) -> String {
        match self {
            Storage::F16 => format!("lam_f16_to_f32({word} & 0xffffu)"),
            Storage::BF16 => format!("bitcast<f32>({word} << 16u)"),
            Storage::I16 => format!("(bitcast<i32>({word} << 16u) >> 16u)"),
            Storage::U16 => format!("({word} & 0xffffu)"),
            Storage::I8 => format!("(bitcast<i32>({word} << 24u) >> 24u)"),
            Storage::U8 => format!("({word} & 0xffu)"),
            Storage::Bool => format!("(({word} & 0xffu) != 0u)"),
            _ => word.to_owned(),
        }
    }

    /// WGSL: the bits of a value, in the low end of a word.
    pub fn pack(self, value: &str) -> String {
        match self {
            Storage::F16 => format!("lam_f32_to_f16({value})"),
            Storage::BF16 => format!("lam_f32_to_bf16({value})"),
            Storage::I16 => format!("(bitcast<u32>({value}) & 0xffffu)"),
            Storage::U16 => format!("(({value}) & 0xffffu)"),
            Storage::I8 => format!("(bitcast<u32>({value}) & 0xffu)"),
            Storage::U8 => format!("(({value}) & 0xffu)"),
            Storage::Bool => format!("select(0u, 1u, {value})"),
            _ => format!("({value})"),
        }
    }

    /// WGSL statements: stores four values as elements `4 * quad`.. of an array of `quad`s.
    /// Two-word elements guard their second half by `size`, the number of elements.
    pub fn store_quad(self, name: &str, quad: &str, values: [&str; 4], size: &str) -> String {
        let [a, b, c, d] = values.map(|v| self.pack(v));
        match self {
            Storage::F32 | Storage::I32 | Storage::U32 => {
                format!("{name}[{quad}] = {}({a}, {b}, {c}, {d});", self.quad())
            }
            Storage::I64 | Storage::U64 => format!(
                "{name}[2u * ({quad})] = vec4<u32>({a}, {b});\n    \
                 if (4u * ({quad}) + 2u < {size}) {{ \
                 {name}[2u * ({quad}) + 1u] = vec4<u32>({c}, {d}); }}"
            ),
            Storage::F16 | Storage::BF16 | Storage::I16 | Storage::U16 => {
                format!("{name}[{quad}] = vec2<u32>({a} | ({b} << 16u), {c} | ({d} << 16u));")
            }
            Storage::I8 | Storage::U8 | Storage::Bool => {
                format!("{name}[{quad}] = {a} | ({b} << 8u) | ({c} << 16u) | ({d} << 24u);")
            }
        }
    }
}

/// A view that a kernel reads: elements of a buffer at `offset` and `strides`, in elements.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Operand {
    pub storage: Storage,
    pub shape: Vec<usize>,
    pub strides: Vec<isize>,
    pub offset: usize,
    /// An earlier input of the same kernel whose buffer this one is in too: it takes no binding.
    pub shares: Option<usize>,
}

impl Operand {
    /// A whole buffer in row-major order.
    pub fn contiguous(storage: Storage, shape: &[usize]) -> Self {
        Operand {
            storage,
            shape: shape.to_vec(),
            strides: row_major(shape),
            offset: 0,
            shares: None,
        }
    }

    pub fn view(storage: Storage, shape: &[usize], strides: &[isize], offset: usize) -> Self {
        Operand {
            storage,
            shape: shape.to_vec(),
            strides: strides.to_vec(),
            offset,
            shares: None,
        }
    }

    /// The number of elements.
    pub fn size(&self) -> usize {
        self.shape.iter().product()
    }

    pub fn is_contiguous(&self) -> bool {
        self.size() == 0
            || (self.shape.iter().zip(&self.strides))
                .rev()
                .try_fold(1, |expected, (&n, &s)| {
                    (n == 1 || s == expected).then_some(expected * n as isize)
                })
                .is_some()
    }

    /// The strides of this operand seen as `shape`: 0 along the dimensions it is repeated on.
    pub fn broadcast(&self, kernel: &str, shape: &[usize]) -> Result<Vec<isize>> {
        let wrong = || {
            let reason = format!(
                "an operand of shape {:?} cannot be seen as {shape:?}",
                self.shape
            );
            GpuError::unsupported(kernel, reason)
        };
        let missing = shape
            .len()
            .checked_sub(self.shape.len())
            .ok_or_else(wrong)?;
        let mut strides = vec![0; shape.len()];
        for (i, (&n, &s)) in self.shape.iter().zip(&self.strides).enumerate() {
            let wanted = shape[missing + i];
            if n != wanted && n != 1 {
                return Err(wrong());
            }
            strides[missing + i] = if n == 1 { 0 } else { s };
        }
        Ok(strides)
    }

    /// Whether every index of this operand's words fits the kernels' 32-bit arithmetic.
    pub(crate) fn check(&self, kernel: &str) -> Result<()> {
        if self.shape.len() != self.strides.len() {
            let (shape, strides) = (&self.shape, &self.strides);
            let reason = format!("shape {shape:?} with strides {strides:?}");
            return Err(GpuError::unsupported(kernel, reason));
        }
        let (mut low, mut high) = (self.offset as i128, self.offset as i128);
        for (&n, &s) in self.shape.iter().zip(&self.strides) {
            let reach = n.saturating_sub(1) as i128 * s as i128;
            low += reach.min(0);
            high += reach.max(0);
        }
        let words = (high + 1) * self.storage.bytes().div_ceil(4) as i128;
        if low < 0 || words > i128::from(u32::MAX) {
            let reason = format!("a view reaches elements {low} to {high}");
            return Err(GpuError::unsupported(kernel, reason));
        }
        Ok(())
    }
}

/// Row-major strides of `shape`.
pub fn row_major(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![1_isize; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i].saturating_mul(shape[i].max(1) as isize);
    }
    strides
}

/// Drops dimensions of size 1 and merges those that every operand steps through as one.
/// Returns the sizes and each operand's strides; the rank is at least 1.
pub fn collapse(shape: &[usize], operands: &[Vec<isize>]) -> (Vec<usize>, Vec<Vec<isize>>) {
    let mut sizes: Vec<usize> = Vec::new();
    let mut strides: Vec<Vec<isize>> = vec![Vec::new(); operands.len()];
    for (axis, &n) in shape.iter().enumerate() {
        if n == 1 {
            continue;
        }
        let merges = !sizes.is_empty()
            && (operands.iter().zip(&strides))
                .all(|(given, kept)| kept.last() == Some(&(given[axis] * n as isize)));
        if merges {
            if let Some(last) = sizes.last_mut() {
                *last *= n;
            }
        } else {
            sizes.push(n);
        }
        for (given, kept) in operands.iter().zip(&mut strides) {
            if merges {
                kept.pop();
            }
            kept.push(given[axis]);
        }
    }
    if sizes.is_empty() {
        sizes.push(1);
        for s in &mut strides {
            s.push(0);
        }
    }
    (sizes, strides)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collapsing_merges_what_is_contiguous_for_all() {
        let contiguous = row_major(&[2, 3, 4]);
        let (sizes, strides) = collapse(&[2, 3, 4], std::slice::from_ref(&contiguous));
        assert_eq!((sizes, strides), (vec![24], vec![vec![1]]));
        let row = vec![0, 4, 1];
        let (sizes, strides) = collapse(&[2, 3, 4], &[contiguous, row]);
        assert_eq!(sizes, [2, 12]);
        assert_eq!(strides, [[12, 1], [0, 1]]);
        assert_eq!(collapse(&[1, 1], &[vec![0, 0]]).0, [1]);
    }

    #[test]
    fn contiguity_ignores_dimensions_of_one() {
        assert!(Operand::contiguous(Storage::F32, &[2, 1, 3]).is_contiguous());
        assert!(Operand::view(Storage::F32, &[2, 1, 3], &[3, 99, 1], 5).is_contiguous());
        assert!(!Operand::view(Storage::F32, &[2, 3], &[1, 2], 0).is_contiguous());
    }
}
