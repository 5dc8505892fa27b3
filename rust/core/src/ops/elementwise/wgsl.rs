//! Elementwise programs as WGSL statements.

use crate::call::GpuCall;
use crate::op::Lowered;
use crate::{DType, Result};
use lamina_gpu::kernels::{ElementCode, Epilogue};
use lamina_kernels::{Chain, Func, Instr};
use std::fmt::Write;

/// Why an elementwise op of these dtypes has no WGSL, if so.
pub fn not_on_gpu(func: Func, dtypes: &[DType]) -> Option<String> {
    if let Some(d) = dtypes.iter().find(|d| **d == DType::F64) {
        return Some(format!("{d} does not exist on a GPU"));
    }
    let wide = dtypes.iter().any(|d| matches!(d, DType::I64 | DType::U64));
    let known = match func {
        Func::Add
        | Func::Sub
        | Func::Mul
        | Func::Where
        | Func::Cast { .. }
        | Func::Neg
        | Func::Abs => true,
        Func::Maximum | Func::Minimum => true,
        Func::BitAnd
        | Func::BitOr
        | Func::BitXor
        | Func::BitNot
        | Func::ShiftLeft
        | Func::ShiftRight => true,
        other => other.is_comparison(),
    };
    (wide && !known).then(|| format!("{} of 64-bit integers has no WGSL", super::name_of(func)))
}

/// Kernels of a fused program.
pub fn lower_chain(chain: &Chain, call: &GpuCall<'_>) -> Result<Lowered> {
    let code = ElementCode::new(code_of(chain));
    let kernels =
        lamina_gpu::kernels::elementwise(call.inputs, call.outputs, &code, call.over, call.caps)?;
    Ok(Lowered::Kernels(kernels))
}

/// A call's fused tail as the GPU's kernels take it.
pub fn epilogue(call: &GpuCall<'_>) -> Option<Epilogue> {
    let tail = call.tail.as_ref()?;
    Some(Epilogue {
        code: ElementCode::new(code_of(tail.chain)),
        inputs: tail.inputs.to_vec(),
    })
}

/// Assigns `out0`, ... from `in0`, ....
fn code_of(chain: &Chain) -> String {
    let inputs = chain.inputs.len();
    let name = |reg: u16| {
        let reg = usize::from(reg);
        if reg < inputs {
            format!("in{reg}")
        } else {
            format!("r{}", reg - inputs)
        }
    };
    let mut text = String::new();
    for (j, instr) in chain.instrs.iter().enumerate() {
        let args: Vec<String> = instr.args().iter().map(|&r| name(r)).collect();
        let from = chain.dtype_of(instr.args[0]);
        let value = wrapped(instr.result(), &expression(instr, from, &args));
        let _ = writeln!(text, "let r{j} = {value};");
    }
    for (k, &output) in chain.outputs.iter().enumerate() {
        let _ = writeln!(text, "out{k} = {};", name(output));
    }
    text
}

/// Narrow integers live in 32-bit registers: back to their own range.
fn wrapped(dtype: DType, value: &str) -> String {
    match dtype {
        DType::I8 => format!("((({value}) << 24u) >> 24u)"),
        DType::I16 => format!("((({value}) << 16u) >> 16u)"),
        DType::U8 => format!("(({value}) & 0xffu)"),
        DType::U16 => format!("(({value}) & 0xffffu)"),
        _ => value.to_owned(),
    }
}

/// A number as a literal of a dtype's register type.
fn literal(dtype: DType, number: f64) -> String {
    match register(dtype) {
        // By its bits: infinities and NaN have no literal.
        "f32" => format!("bitcast<f32>(0x{:08x}u)", (number as f32).to_bits()),
        "i32" => format!(
            "bitcast<i32>({}u)",
            number.clamp(-2_147_483_648.0, 2_147_483_647.0) as i32 as u32
        ),
        "u32" => format!("{}u", number.clamp(0.0, 4_294_967_295.0) as u64),
        "bool" => format!("{}", number != 0.0),
        _ => {
            let bits = number as i64;
            format!("vec2<u32>({}u, {}u)", bits as u32, (bits >> 32) as u32)
        }
    }
}

const fn register(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 | DType::F16 | DType::BF16 | DType::F64 => "f32",
        DType::I32 | DType::I16 | DType::I8 => "i32",
        DType::U32 | DType::U16 | DType::U8 | DType::Stored(_) => "u32",
        DType::I64 | DType::U64 => "vec2<u32>",
        DType::Bool => "bool",
    }
}

fn expression(instr: &Instr, from: DType, args: &[String]) -> String {
    let a = args[0].as_str();
    let b = args.get(1).map_or("", String::as_str);
    match instr.func {
        Func::Where => format!("select({}, {b}, {a})", args[2]),
        Func::Cast { to } => cast(from, to, a),
        _ if matches!(instr.dtype, DType::I64 | DType::U64) => wide(instr, a, b),
        _ if instr.dtype == DType::Bool => logic(instr.func, a, b),
        _ if instr.dtype.is_float() => float(instr, a, b),
        _ => integer(instr, a, b),
    }
}

fn operator(func: Func) -> &'static str {
    match func {
        Func::Add => "+",
        Func::Sub => "-",
        Func::Mul => "*",
        Func::Div => "/",
        Func::Eq => "==",
        Func::Ne => "!=",
        Func::Lt => "<",
        Func::Le => "<=",
        Func::Gt => ">",
        Func::BitAnd => "&",
        Func::BitOr => "|",
        Func::BitXor => "^",
        _ => ">=",
    }
}

fn float(instr: &Instr, a: &str, b: &str) -> String {
    let n = |number: f64| literal(DType::F32, number);
    match instr.func {
        Func::Add | Func::Sub | Func::Mul => format!("({a} {} {b})", operator(instr.func)),
        Func::Div => format!("lam_div({a}, {b})"),
        Func::Eq | Func::Lt | Func::Le | Func::Gt | Func::Ge => {
            format!("lam_{}({a}, {b})", super::name_of(instr.func))
        }
        Func::Ne => format!("!lam_eq({a}, {b})"),
        Func::FloorDiv => format!("floor(lam_div({a}, {b}))"),
        Func::Remainder => format!("lam_remainder({a}, {b})"),
        Func::Fmod => format!("lam_fmod({a}, {b})"),
        Func::Pow => format!("lam_pow({a}, {b})"),
        Func::Maximum => format!("lam_max({a}, {b})"),
        Func::Minimum => format!("lam_min({a}, {b})"),
        Func::Neg => format!("(-{a})"),
        Func::Abs => format!("abs({a})"),
        Func::Sign => format!("sign({a})"),
        Func::Floor => format!("floor({a})"),
        Func::Ceil => format!("ceil({a})"),
        Func::Round => format!("round({a})"),
        Func::Trunc => format!("trunc({a})"),
        Func::Elu {
            alpha,
            scale,
            input_scale,
        } => format!(
            "lam_elu({a}, {}, {}, {})",
            n(alpha),
            n(scale),
            n(input_scale)
        ),
        Func::Reciprocal => format!("lam_div(1.0, {a})"),
        Func::Square => format!("({a} * {a})"),
        Func::Sqrt => format!("lam_sqrt({a})"),
        Func::Rsqrt => format!("lam_div(1.0, lam_sqrt({a}))"),
        Func::Relu => format!("lam_max({a}, 0.0)"),
        Func::LeakyRelu { slope } => format!("select({a}, {a} * {}, {a} < 0.0)", n(slope)),
        Func::Clip { lo, hi } => format!("lam_clip({a}, {}, {})", n(lo), n(hi)),
        Func::PowConst { exponent } => format!("lam_pow({a}, {})", n(exponent)),
        Func::IsNan => format!("lam_is_nan({a})"),
        Func::GeluTanh => format!("lam_gelu_tanh({a})"),
        other => format!("lam_{}({a})", super::name_of(other)),
    }
}

fn integer(instr: &Instr, a: &str, b: &str) -> String {
    let n = |number: f64| literal(instr.dtype, number);
    let signed = instr.dtype.is_signed();
    let kind = if signed { "i32" } else { "u32" };
    match instr.func {
        Func::Div => format!("lam_div_{kind}({a}, {b})"),
        Func::FloorDiv => format!("lam_floor_div_{kind}({a}, {b})"),
        Func::Remainder => format!("lam_remainder_{kind}({a}, {b})"),
        Func::Fmod => format!("lam_fmod_{kind}({a}, {b})"),
        Func::Pow => format!("lam_pow_{kind}({a}, {b})"),
        Func::Maximum => format!("max({a}, {b})"),
        Func::Minimum => format!("min({a}, {b})"),
        Func::Neg if signed => format!("(-{a})"),
        Func::Neg => format!("(0u - {a})"),
        Func::BitNot => format!("(~{a})"),
        Func::ShiftLeft => format!("lam_shl_{kind}({a}, {b})"),
        Func::ShiftRight => format!("lam_shr_{kind}({a}, {b})"),
        Func::Abs => format!("abs({a})"),
        Func::Sign if signed => format!("sign({a})"),
        Func::Sign => format!("min({a}, 1u)"),
        Func::Square => format!("({a} * {a})"),
        Func::Relu if signed => format!("max({a}, 0i)"),
        Func::Relu => a.to_owned(),
        Func::Clip { lo, hi } => format!("min(max({a}, {}), {})", n(lo), n(hi)),
        func => format!("({a} {} {b})", operator(func)),
    }
}

fn logic(func: Func, a: &str, b: &str) -> String {
    match func {
        Func::And | Func::Minimum | Func::Mul => format!("({a} && {b})"),
        Func::Or | Func::Maximum | Func::Add => format!("({a} || {b})"),
        Func::Xor | Func::Ne => format!("({a} != {b})"),
        Func::Eq => format!("({a} == {b})"),
        Func::Not => format!("(!{a})"),
        Func::Lt => format!("(!{a} && {b})"),
        Func::Le => format!("(!{a} || {b})"),
        Func::Gt => format!("({a} && !{b})"),
        _ => format!("({a} || !{b})"),
    }
}

/// 64-bit integers as two words, the low one first.
fn wide(instr: &Instr, a: &str, b: &str) -> String {
    let kind = if instr.dtype == DType::I64 {
        "i64"
    } else {
        "u64"
    };
    match instr.func {
        Func::Add => format!("lam_i64_add({a}, {b})"),
        Func::Sub => format!("lam_i64_sub({a}, {b})"),
        Func::Mul => format!("lam_i64_mul({a}, {b})"),
        Func::Neg => format!("lam_i64_sub(vec2<u32>(0u, 0u), {a})"),
        Func::BitAnd | Func::BitOr | Func::BitXor => format!("({a} {} {b})", operator(instr.func)),
        Func::BitNot => format!("(~{a})"),
        Func::ShiftLeft => format!("lam_u64_shl({a}, {b})"),
        Func::ShiftRight => format!("lam_{kind}_shr({a}, {b})"),
        Func::Abs if kind == "i64" => {
            format!("select({a}, lam_i64_sub(vec2<u32>(0u, 0u), {a}), ({a}.y >> 31u) == 1u)")
        }
        Func::Abs => a.to_owned(),
        Func::Eq => format!("all({a} == {b})"),
        Func::Ne => format!("any({a} != {b})"),
        Func::Lt => format!("lam_{kind}_lt({a}, {b})"),
        Func::Gt => format!("lam_{kind}_lt({b}, {a})"),
        Func::Le => format!("!lam_{kind}_lt({b}, {a})"),
        Func::Ge => format!("!lam_{kind}_lt({a}, {b})"),
        Func::Maximum => format!("select({a}, {b}, lam_{kind}_lt({a}, {b}))"),
        _ => format!("select({a}, {b}, lam_{kind}_lt({b}, {a}))"),
    }
}

/// Float to integer truncates and saturates, NaN gives 0; integers wrap.
fn cast(from: DType, to: DType, a: &str) -> String {
    let (old, new) = (register(from), register(to));
    match (old, new) {
        ("bool", "vec2<u32>") => format!("vec2<u32>(select(0u, 1u, {a}), 0u)"),
        ("bool", _) => format!("{new}({a})"),
        ("f32", "bool") => format!("!lam_eq({a}, 0.0)"),
        ("vec2<u32>", "bool") => format!("any({a} != vec2<u32>(0u, 0u))"),
        (_, "bool") => format!("({a} != {old}(0))"),
        ("f32", "f32") => rounded(to, a),
        ("f32", "vec2<u32>") => format!(
            "lam_{}_from_f32({a})",
            if to == DType::I64 { "i64" } else { "u64" }
        ),
        ("f32", _) => {
            let (lo, hi) = range(to);
            format!(
                "lam_f32_to_{new}({a}, {}, {})",
                literal(to, lo),
                literal(to, hi)
            )
        }
        ("vec2<u32>", "f32") => format!(
            "lam_{}_to_f32({a})",
            if from == DType::I64 { "i64" } else { "u64" }
        ),
        ("vec2<u32>", "i32") => format!("bitcast<i32>({a}.x)"),
        ("vec2<u32>", "u32") => format!("{a}.x"),
        ("i32", "vec2<u32>") => format!("vec2<u32>(bitcast<u32>({a}), bitcast<u32>({a} >> 31u))"),
        ("u32", "vec2<u32>") => format!("vec2<u32>({a}, 0u)"),
        ("i32", "u32") => format!("bitcast<u32>({a})"),
        ("u32", "i32") => format!("bitcast<i32>({a})"),
        (_, "f32") if old != "f32" => rounded(to, &format!("f32({a})")),
        _ => a.to_owned(),
    }
}

/// To the precision of a half type, kept in an f32 register.
fn rounded(to: DType, a: &str) -> String {
    match to {
        DType::F16 => format!("lam_f16_to_f32(lam_f32_to_f16({a}))"),
        DType::BF16 => format!("bitcast<f32>(lam_f32_to_bf16({a}) << 16u)"),
        _ => a.to_owned(),
    }
}

fn range(to: DType) -> (f64, f64) {
    match to {
        DType::I8 => (-128.0, 127.0),
        DType::U8 => (0.0, 255.0),
        DType::I16 => (-32768.0, 32767.0),
        DType::U16 => (0.0, 65535.0),
        DType::I32 => (-2_147_483_648.0, 2_147_483_647.0),
        _ => (0.0, 4_294_967_295.0),
    }
}
