//! Casts to and from the dtypes that are only stored: their codes lie a byte
//! each, on every device.

use super::elementwise::cast;
use crate::call::{CpuCall, GpuCall};
use crate::node::record_one;
use crate::op::{
    Blocked, Class, Gradient, Lowered, Meta, Op, OpRef, Strides, Vjp, arity, no_gradient,
};
use crate::{Attrs, DType, Error, Result, Tensor};
use lamina_gpu::kernels::ElementCode;
use lamina_kernels::Isa;
use lamina_kernels::stored::{self, Layout, Round, Stored};

/// What a stored dtype's codes are made from and into.
fn plain(dtype: Stored) -> DType {
    if dtype.layout().is_some() || dtype == Stored::F8E8M0 {
        DType::F32
    } else {
        DType::I32
    }
}

/// Codes as float32, those of integers as int32.
#[derive(Clone, Copy, Debug)]
struct Decode;

/// Numbers as codes.
#[derive(Clone, Copy, Debug)]
struct Encode {
    to: Stored,
    saturate: bool,
    round: Round,
}

impl Op for Decode {
    fn name(&self) -> &str {
        "decode"
    }

    fn params(&self) -> Attrs {
        Attrs::new()
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x] = arity(self, inputs)?;
        Ok(vec![Meta::new(
            plain(stored_of(self.name(), x.dtype)?),
            x.shape,
        )])
    }

    fn gradient(&self) -> Gradient {
        Gradient::None("a dtype that is only stored carries no gradient")
    }

    fn vjp(&self, _vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        Err(no_gradient(self))
    }

    fn class(&self) -> Class<'_> {
        Class::Compute
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    fn blocked(&self, _inputs: &[&Meta]) -> Option<Blocked> {
        None
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let dtype = stored_of(self.name(), call.dtype(0))?;
        let codes = call.slice::<u8>(0)?;
        if plain(dtype) == DType::F32 {
            stored::decode(Isa::current(), dtype, codes, call.out(0)?);
        } else {
            let out = call.out::<i32>(0)?;
            for (to, &code) in out.iter_mut().zip(codes) {
                *to = dtype.decode(code) as i32;
            }
        }
        Ok(())
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        let dtype = stored_of(self.name(), call.dtypes[0])?;
        lower(call, &decoding(dtype))
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        inputs[0].len() as u64
    }
}

impl Op for Encode {
    fn name(&self) -> &str {
        "encode"
    }

    fn params(&self) -> Attrs {
        Attrs::new()
            .with("dtype", DType::Stored(self.to))
            .with("saturate", self.saturate)
            .with("round_mode", round_name(self.round))
    }

    fn infer(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let [x] = arity(self, inputs)?;
        if x.dtype != plain(self.to) {
            return Err(Error::internal(format!(
                "encode: {} is made from {}, not {}",
                self.to.name(),
                plain(self.to),
                x.dtype
            )));
        }
        Ok(vec![Meta::new(DType::Stored(self.to), x.shape)])
    }

    fn gradient(&self) -> Gradient {
        Gradient::None("a dtype that is only stored carries no gradient")
    }

    fn vjp(&self, _vjp: &Vjp<'_>) -> Result<Vec<Option<Tensor>>> {
        Err(no_gradient(self))
    }

    fn class(&self) -> Class<'_> {
        Class::Compute
    }

    fn strides(&self, _index: usize) -> Strides {
        Strides::Contiguous
    }

    fn blocked(&self, _inputs: &[&Meta]) -> Option<Blocked> {
        None
    }

    fn cpu(&self, call: &mut CpuCall<'_>) -> Result<()> {
        let out = call.out::<u8>(0)?;
        if plain(self.to) == DType::F32 {
            stored::encode(self.to, call.slice(0)?, self.saturate, self.round, out);
        } else {
            let mask = (1 << self.to.bits()) - 1;
            for (to, &x) in out.iter_mut().zip(call.slice::<i32>(0)?) {
                *to = (x & mask) as u8;
            }
        }
        Ok(())
    }

    fn gpu(&self, call: &GpuCall<'_>) -> Result<Lowered> {
        lower(call, &self.encoding())
    }

    fn flops(&self, inputs: &[&Meta], _outputs: &[&Meta]) -> u64 {
        inputs[0].len() as u64
    }
}

fn lower(call: &GpuCall<'_>, value: &str) -> Result<Lowered> {
    let code = ElementCode::new(format!("out0 = {value};"));
    let kernels =
        lamina_gpu::kernels::elementwise(call.inputs, call.outputs, &code, &[], call.caps)?;
    Ok(Lowered::Kernels(kernels))
}

/// WGSL: the number of code `in0`.
fn decoding(dtype: Stored) -> String {
    let shift = 32 - dtype.bits();
    match dtype.layout() {
        Some(layout) => {
            let Layout {
                exponent_bits,
                mantissa_bits,
                bias,
                largest,
                nan,
                beyond,
                signed,
            } = layout;
            // Of the codes above the largest, which one is infinite; 256 where none is.
            let infinite = if beyond == nan {
                256
            } else {
                u32::from(beyond)
            };
            // Where -0 exists, NaN is above the largest.
            let nan = if signed { 256 } else { u32::from(nan) };
            format!(
                "lam_decode_float(in0, {exponent_bits}u, {mantissa_bits}u, {bias}, {largest}u, {infinite}u, {nan}u)"
            )
        }
        None if dtype == Stored::F8E8M0 => "lam_decode_power(in0)".to_owned(),
        None if matches!(dtype, Stored::I4 | Stored::I2) => {
            format!("(bitcast<i32>(in0 << {shift}u) >> {shift}u)")
        }
        None => format!("bitcast<i32>(in0 & {}u)", (1 << dtype.bits()) - 1),
    }
}

impl Encode {
    /// WGSL: the code of number `in0`.
    fn encoding(self) -> String {
        match self.to.layout() {
            Some(layout) => {
                let Layout {
                    exponent_bits,
                    mantissa_bits,
                    bias,
                    largest,
                    nan,
                    beyond,
                    signed,
                } = layout;
                let beyond = if self.saturate { largest } else { beyond };
                let signs = self.saturate || signed;
                format!(
                    "lam_encode_float(in0, {}u, {mantissa_bits}u, {bias}, vec3<u32>({largest}u, {nan}u, {beyond}u), {signs}, {signed})",
                    exponent_bits + mantissa_bits
                )
            }
            None if self.to == Stored::F8E8M0 => {
                let beyond = if self.saturate { 254 } else { 255 };
                let (least, low) = match self.round {
                    Round::Up => (1u32, (1u32 << 22) + 1),
                    Round::Down => (1 << 23, 1 << 23),
                    Round::Nearest => (1 << 22, 3 << 21),
                };
                format!("lam_encode_power(in0, {least}u, {low}u, {beyond}u)")
            }
            None => format!("(bitcast<u32>(in0) & {}u)", (1 << self.to.bits()) - 1),
        }
    }
}

fn stored_of(name: &str, dtype: DType) -> Result<Stored> {
    match dtype {
        DType::Stored(stored) => Ok(stored),
        other => Err(Error::internal(format!(
            "{name}: {other} is no stored dtype"
        ))),
    }
}

const fn round_name(round: Round) -> &'static str {
    match round {
        Round::Up => "up",
        Round::Down => "down",
        Round::Nearest => "nearest",
    }
}

/// What `float8_e8m0fnu` makes of a number between two powers of two.
pub fn round_of(name: &str, mode: &str) -> Result<Round> {
    [Round::Up, Round::Down, Round::Nearest]
        .into_iter()
        .find(|&round| round_name(round) == mode)
        .ok_or_else(|| {
            Error::argument(format!(
                "{name}: round_mode='{mode}' is not 'up', 'down' or 'nearest'"
            ))
        })
}

/// Codes as float32, those of integers as int32.
pub fn decode(x: &Tensor) -> Result<Tensor> {
    record_one(&OpRef::new(Decode), std::slice::from_ref(x))
}

/// Numbers as codes: floats to the nearest, ties to even, cut to the largest
/// where they `saturate`; integers truncate and wrap.
pub fn encode(x: &Tensor, to: Stored, saturate: bool, round: Round) -> Result<Tensor> {
    let op = Encode {
        to,
        saturate,
        round,
    };
    record_one(&OpRef::new(op), &[cast(x, plain(to))?])
}
