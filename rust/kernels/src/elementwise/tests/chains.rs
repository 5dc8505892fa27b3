//! Whole chains: registers, broadcasting, in place, several outputs.

use super::super::{Bound, Operand, Prepared, run, run_range};
use super::{Random, instr};
use crate::chain::{Chain, Func, Reg};
use crate::dtype::DType;
use crate::isa::Isa;
use crate::view::row_major;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Value {
    F32(f32),
    F64(f64),
    I64(i64),
    Bool(bool),
}

use Value::{Bool, F32, F64, I64};

fn scalar(func: Func, args: &[Value]) -> Value {
    match (func, args) {
        (Func::Add, [F32(a), F32(b)]) => F32(a + b),
        (Func::Add, [F64(a), F64(b)]) => F64(a + b),
        (Func::Add, [I64(a), I64(b)]) => I64(a.wrapping_add(*b)),
        (Func::Mul, [F32(a), F32(b)]) => F32(a * b),
        (Func::Mul, [F64(a), F64(b)]) => F64(a * b),
        (Func::Mul, [I64(a), I64(b)]) => I64(a.wrapping_mul(*b)),
        (Func::Lt, [F32(a), F32(b)]) => Bool(a < b),
        (Func::Lt, [F64(a), F64(b)]) => Bool(a < b),
        (Func::Lt, [I64(a), I64(b)]) => Bool(a < b),
        (Func::Not, [Bool(a)]) => Bool(!a),
        (Func::And, [Bool(a), Bool(b)]) => Bool(a & b),
        (Func::Where, [Bool(c), a, b]) => {
            if *c {
                *a
            } else {
                *b
            }
        }
        (Func::Cast { to }, [a]) => {
            let x = match a {
                F32(x) => f64::from(*x),
                F64(x) => *x,
                I64(x) => *x as f64,
                Bool(x) => f64::from(u8::from(*x)),
            };
            match to {
                DType::F32 => F32(x as f32),
                DType::F64 => F64(x),
                DType::I64 => I64(x as i64),
                _ => Bool(x != 0.0),
            }
        }
        _ => unreachable!("{func:?} {args:?}"),
    }
}

const DTYPES: [DType; 4] = [DType::F32, DType::F64, DType::I64, DType::Bool];

/// A random well-formed chain.
fn random_chain(random: &mut Random) -> Chain {
    let mut dtypes: Vec<DType> = (0..=random.below(4))
        .map(|_| DTYPES[random.below(4)])
        .collect();
    let inputs = dtypes.clone();
    let mut instrs = Vec::new();
    for _ in 0..=random.below(14) {
        let pick = |random: &mut Random, want: Option<DType>| -> Option<Reg> {
            let fit: Vec<usize> = (0..dtypes.len())
                .filter(|r| want.is_none_or(|d| dtypes[*r] == d))
                .collect();
            (!fit.is_empty()).then(|| fit[random.below(fit.len())] as Reg)
        };
        let a = pick(random, None).unwrap();
        let dtype = dtypes[usize::from(a)];
        let b = pick(random, Some(dtype)).unwrap();
        let func = match random.below(6) {
            0 => Func::Cast {
                to: DTYPES[random.below(4)],
            },
            1 if dtype != DType::Bool => Func::Lt,
            2 => Func::Where,
            _ if dtype == DType::Bool => Func::And,
            3 => Func::Mul,
            _ => Func::Add,
        };
        let next = match func {
            Func::Cast { .. } => instr(func, dtype, &[a]),
            Func::Where => match pick(random, Some(DType::Bool)) {
                Some(c) => instr(func, dtype, &[c, a, b]),
                None => continue,
            },
            _ => instr(func, dtype, &[a, b]),
        };
        dtypes.push(next.result());
        instrs.push(next);
    }
    let last = (dtypes.len() - 1) as Reg;
    let mut outputs = vec![last];
    for _ in 0..random.below(3) {
        outputs.push(random.below(dtypes.len()) as Reg);
    }
    Chain {
        inputs,
        instrs,
        outputs,
    }
}

fn evaluate(chain: &Chain, inputs: &[Value]) -> Vec<Value> {
    let mut values = inputs.to_vec();
    for i in &chain.instrs {
        let args: Vec<Value> = i.args().iter().map(|a| values[usize::from(*a)]).collect();
        values.push(scalar(i.func, &args));
    }
    chain
        .outputs
        .iter()
        .map(|r| values[usize::from(*r)])
        .collect()
}

fn write(dtype: DType, values: &[Value]) -> Vec<u64> {
    let mut bytes: Vec<u8> = Vec::new();
    for value in values {
        match value {
            F32(x) => bytes.extend(x.to_ne_bytes()),
            F64(x) => bytes.extend(x.to_ne_bytes()),
            I64(x) => bytes.extend(x.to_ne_bytes()),
            Bool(x) => bytes.push(u8::from(*x)),
        }
    }
    assert_eq!(bytes.len(), values.len() * dtype.size());
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
        .chunks(8)
        .map(|b| u64::from_ne_bytes(b.try_into().unwrap()))
        .collect()
}

fn sample(random: &mut Random, dtype: DType) -> Value {
    match dtype {
        DType::F32 => F32(random.float()),
        DType::F64 => F64(f64::from(random.float()) * 1.1),
        DType::I64 => I64(random.below(2000) as i64 - 1000),
        _ => Bool(random.below(2) == 1),
    }
}

/// An input: what its memory holds, where its first element lies, strides.
type Input = (Vec<Value>, usize, Vec<isize>);

/// A full, broadcast, transposed or reversed operand.
fn random_input(random: &mut Random, dtype: DType, shape: &[usize; 3]) -> Input {
    let [a, b, c] = *shape;
    let (count, offset, strides) = match random.below(7) {
        0 => (1, 0, vec![0, 0, 0]),
        1 => (b, 0, vec![0, 1, 0]),
        2 => (c, 0, vec![0, 0, 1]),
        3 => (a * c, 0, vec![c as isize, 0, 1]),
        4 => (a * b * c, 0, vec![1, a as isize, (a * b) as isize]),
        5 => (c, c - 1, vec![0, 0, -1]),
        _ => (a * b * c, 0, row_major(shape)),
    };
    let values = (0..count).map(|_| sample(random, dtype)).collect();
    (values, offset, strides)
}

fn at(input: &Input, shape: &[usize; 3], flat: usize) -> Value {
    let (values, offset, strides) = input;
    let index = [
        flat / (shape[1] * shape[2]),
        flat / shape[2] % shape[1],
        flat % shape[2],
    ];
    let steps: isize = index
        .iter()
        .zip(strides)
        .map(|(i, s)| *i as isize * s)
        .sum();
    values[(*offset as isize + steps) as usize]
}

#[test]
fn random_chains_over_random_views() {
    let mut random = Random(7);
    let shapes = [
        [1, 1, 1],
        [2, 3, 5],
        [3, 1, 700],
        [4, 33, 31],
        [2, 2, 1500],
        [1, 40, 300],
    ];
    for round in 0..400 {
        let chain = random_chain(&mut random);
        let shape = shapes[random.below(shapes.len())];
        let n: usize = shape.iter().product();
        let inputs: Vec<Input> = chain
            .inputs
            .iter()
            .map(|d| random_input(&mut random, *d, &shape))
            .collect();
        let memory: Vec<Vec<u64>> = inputs
            .iter()
            .zip(&chain.inputs)
            .map(|(i, d)| write(*d, &i.0))
            .collect();
        let operands: Vec<Operand> = (0..inputs.len())
            .map(|i| Operand {
                ptr: memory[i]
                    .as_ptr()
                    .cast::<u8>()
                    .wrapping_add(inputs[i].1 * chain.inputs[i].size()),
                strides: &inputs[i].2,
            })
            .collect();
        let mut outputs: Vec<Vec<u64>> = chain.outputs.iter().map(|_| vec![0; n]).collect();
        let pointers: Vec<*mut u8> = outputs.iter_mut().map(|o| o.as_mut_ptr().cast()).collect();
        let isa = Isa::available()[round % Isa::available().len()];
        // SAFETY: the inputs have their strides' elements, the outputs `n`.
        unsafe { run(isa, &Prepared::new(&chain), &shape, &operands, &pointers) };
        let results: Vec<Vec<Value>> = (0..n)
            .map(|flat| {
                let args: Vec<Value> = inputs.iter().map(|i| at(i, &shape, flat)).collect();
                evaluate(&chain, &args)
            })
            .collect();
        for (k, reg) in chain.outputs.iter().enumerate() {
            let column: Vec<Value> = results.iter().map(|r| r[k]).collect();
            let want = write(chain.dtype_of(*reg), &column);
            assert_eq!(
                outputs[k][..want.len()],
                want,
                "{chain:#?} {shape:?} output {k}"
            );
        }
    }
}

/// a = x * y over x, b = a + z over z, which is read again for a * z.
#[test]
fn outputs_over_inputs_are_written_as_soon_as_those_are_read() {
    let chain = Chain {
        inputs: vec![DType::F32; 3],
        instrs: vec![
            instr(Func::Mul, DType::F32, &[0, 1]),
            instr(Func::Add, DType::F32, &[3, 2]),
            instr(Func::Mul, DType::F32, &[3, 2]),
        ],
        outputs: vec![3, 4, 5],
    };
    let mut random = Random(3);
    for n in [1, 5, 1024, 3000] {
        let mut draw = || (0..n).map(|_| random.float()).collect();
        let [x, y, z]: [Vec<f32>; 3] = [draw(), draw(), draw()];
        let (mut a, mut b, mut c) = (x.clone(), z.clone(), vec![0f32; n]);
        let outputs: [*mut u8; 3] = [&mut a, &mut b, &mut c].map(|v| v.as_mut_ptr().cast());
        let inputs = [
            outputs[0].cast_const(),
            y.as_ptr().cast(),
            outputs[1].cast_const(),
        ];
        let operands = inputs.map(|ptr| Operand { ptr, strides: &[1] });
        let prepared = Prepared::over(&chain, &[Some(0), Some(2), None]);
        assert_eq!(prepared.stores.len(), 1);
        // SAFETY: n elements each; outputs lie over the inputs that were named.
        unsafe { run(Isa::current(), &prepared, &[n], &operands, &outputs) };
        for i in 0..n {
            let product = x[i] * y[i];
            assert_eq!((a[i], b[i]), (product, product + z[i]));
            assert_eq!(c[i], product * z[i]);
        }
    }
}

/// t = x + x; outputs t * y and t * x, the first over x.
#[test]
fn an_output_may_lie_over_an_input_that_is_read_again() {
    let chain = Chain {
        inputs: vec![DType::F32, DType::F32],
        instrs: vec![
            instr(Func::Add, DType::F32, &[0, 0]),
            instr(Func::Mul, DType::F32, &[2, 1]),
            instr(Func::Mul, DType::F32, &[2, 0]),
        ],
        outputs: vec![3, 4],
    };
    for n in [1, 33, 1000, 5000] {
        let mut x: Vec<f32> = (0..n).map(|i| i as f32 + 1.0).collect();
        let y = vec![3.0f32; n];
        let mut second = vec![0.0f32; n];
        let over: *mut u8 = x.as_mut_ptr().cast();
        let operands = [
            Operand {
                ptr: over,
                strides: &[1],
            },
            Operand {
                ptr: y.as_ptr().cast(),
                strides: &[1],
            },
        ];
        let prepared = Prepared::new(&chain);
        let outputs = [over, second.as_mut_ptr().cast()];
        // SAFETY: `n` elements each.
        unsafe { run(Isa::current(), &prepared, &[n], &operands, &outputs) };
        for i in 0..n {
            let v = i as f32 + 1.0;
            assert_eq!((x[i], second[i]), (6.0 * v, 2.0 * v * v));
        }
    }
}

/// relu(acc * scale[channel] + residual), range by range.
#[test]
fn an_epilogue_works_on_any_range() {
    let chain = Chain {
        inputs: vec![DType::F32; 3],
        instrs: vec![
            instr(Func::Mul, DType::F32, &[0, 1]),
            instr(Func::Add, DType::F32, &[3, 2]),
            instr(Func::Relu, DType::F32, &[4]),
        ],
        outputs: vec![5],
    };
    let prepared = Prepared::new(&chain);
    let shape = [2, 3, 37];
    let n = 222;
    let mut random = Random(3);
    let acc: Vec<f32> = (0..n).map(|_| random.float()).collect();
    let scale = [1.0f32, -2.0, 0.5];
    let residual: Vec<f32> = (0..n).map(|_| random.float()).collect();
    let strides = row_major(&shape);
    let operands = [
        Operand {
            ptr: std::ptr::null(),
            strides: &strides,
        },
        Operand {
            ptr: scale.as_ptr().cast(),
            strides: &[0, 1, 0],
        },
        Operand {
            ptr: residual.as_ptr().cast(),
            strides: &strides,
        },
    ];
    for isa in Isa::available() {
        // SAFETY: the operands have the shape's elements.
        let bound = unsafe { Bound::new(isa, &prepared, &shape, &operands) };
        for (start, end) in [(0, n), (0, 1), (5, 5), (36, 38), (100, 222), (37, 111)] {
            let mut part = acc[start..end].to_vec();
            let mut again = part.clone();
            // SAFETY: as above.
            unsafe {
                bound.run_range(start, &mut part);
                run_range(isa, &prepared, &shape, &operands, start, &mut again);
            }
            assert_eq!(part, again);
            for (i, got) in (start..end).zip(&part) {
                let want = acc[i] * scale[i / 37 % 3] + residual[i];
                assert_eq!(*got, want.max(0.0));
            }
        }
    }
}

#[test]
fn long_chains_reuse_their_registers() {
    let mut instrs = vec![instr(Func::Add, DType::F32, &[0, 0])];
    for r in 1..60 {
        instrs.push(instr(Func::Add, DType::F32, &[r, 0]));
    }
    let chain = Chain {
        inputs: vec![DType::F32],
        instrs,
        outputs: vec![60],
    };
    // The input's slot, one for all results, one for conversions.
    assert!(Prepared::new(&chain).slots <= 3);
}
