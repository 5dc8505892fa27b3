//! Which value of a chain lives where: done once, when a plan is made.

use super::vector;
use crate::chain::{Chain, Func, Instr};
use crate::dtype::DType;

/// Bytes of one block register.
pub(super) const SLOT_BYTES: usize = 4096;

/// Where a value is found while a block runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Where the input's block lies: in place, or in the input's own slot.
    Input(usize),
    Slot(usize),
    /// In the memory of this output.
    Output(usize),
}

#[derive(Clone, Debug)]
pub(super) struct Step {
    pub func: Func,
    pub dtype: DType,
    pub args: Vec<Place>,
    pub out: Place,
}

/// What is written to an output after the steps; nothing where a step has
/// written there itself.
#[derive(Clone, Debug)]
pub(super) struct Store {
    pub output: usize,
    pub dtype: DType,
    pub from: Place,
}

/// A chain with its block registers assigned.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub(super) inputs: Vec<DType>,
    pub(super) outputs: Vec<DType>,
    pub(super) steps: Vec<Step>,
    pub(super) stores: Vec<Store>,
    /// Slots `0..inputs.len()` belong to the inputs, the last one to
    /// conversions.
    pub(super) slots: usize,
    /// Elements of a block.
    pub(super) block: usize,
    cost: usize,
}

/// The dtype in which values of `dtype` are computed.
pub(super) const fn register(dtype: DType) -> DType {
    match dtype {
        DType::F16 | DType::BF16 => DType::F32,
        other => other,
    }
}

impl Prepared {
    /// The chain is well-formed: registers are defined before they are used
    /// and every instruction's function takes its dtype
    /// ([`Func::takes`]).
    pub fn new(chain: &Chain) -> Prepared {
        Prepared::with(chain, None)
    }

    /// As [`Prepared::new`] where it is known which input each output lies
    /// over: it overlaps no other, and is written as soon as that one is read.
    pub fn over(chain: &Chain, over: &[Option<usize>]) -> Prepared {
        assert_eq!(over.len(), chain.outputs.len());
        Prepared::with(chain, Some(over))
    }

    fn with(chain: &Chain, over: Option<&[Option<usize>]>) -> Prepared {
        for instr in &chain.instrs {
            assert!(
                instr.func.takes(instr.dtype),
                "{:?} does not take {}",
                instr.func,
                instr.dtype
            );
        }
        let mut allocator = Allocator::new(chain, over);
        let steps = (0..chain.instrs.len()).map(|j| allocator.step(j)).collect();
        let count = chain.inputs.len();
        let outputs: Vec<DType> = chain.outputs.iter().map(|r| chain.dtype_of(*r)).collect();
        let mut stores: Vec<Store> = (0..outputs.len())
            .filter(|k| !allocator.direct.contains(k))
            .map(|k| Store {
                output: k,
                dtype: outputs[k],
                from: allocator.places[usize::from(chain.outputs[k])],
            })
            .collect();
        // Inputs first: a later store may be to an input's memory.
        stores.sort_by_key(|store| !matches!(store.from, Place::Input(_)));
        let wide = |dtype: DType| register(dtype).size() == 8;
        let any_wide = (0..count + chain.instrs.len()).any(|r| wide(chain.dtype_of(r as u16)));
        Prepared {
            inputs: chain.inputs.clone(),
            outputs,
            steps,
            stores,
            slots: allocator.slots + 1,
            block: SLOT_BYTES / if any_wide { 8 } else { 4 },
            cost: chain.instrs.iter().map(cost).sum::<usize>() + count + 1,
        }
    }

    /// Whether all that read input `i` take one element for all of it.
    pub(super) fn takes_one(&self, i: usize) -> bool {
        let input = Place::Input(i);
        let mut readers = self.steps.iter().filter(|s| s.args.contains(&input));
        !self.stores.iter().any(|store| store.from == input)
            && readers.all(|s| vector::takes_one(s.func, s.dtype))
    }

    /// Elements a thread takes at least.
    pub(super) fn min_chunk(&self) -> usize {
        ((1 << 17) / self.cost).clamp(1 << 12, 1 << 15)
    }
}

/// About how many cycles a vector of results takes.
fn cost(instr: &Instr) -> usize {
    match instr.func {
        Func::Pow | Func::PowConst { .. } | Func::Fmod | Func::Remainder | Func::FloorDiv => 40,
        Func::Sigmoid | Func::Erf | Func::Gelu | Func::GeluTanh => 15,
        Func::Elu { .. } | Func::Softplus | Func::Mish => 20,
        func if func.is_transcendental() => 15,
        Func::Div | Func::Sqrt | Func::Rsqrt | Func::Reciprocal | Func::Cast { .. } => 4,
        _ => 1,
    }
}

/// Hands out slots in one pass over the instructions.
struct Allocator<'a> {
    chain: &'a Chain,
    /// Of each value: the last instruction that reads it (`usize::MAX` for
    /// what is stored at the end).
    last_use: Vec<usize>,
    /// Of each output: from this instruction on no input is read any more
    /// that may lie there.
    writable: Vec<usize>,
    places: Vec<Place>,
    free: Vec<usize>,
    slots: usize,
    /// Outputs that a step writes itself.
    direct: Vec<usize>,
}

impl<'a> Allocator<'a> {
    fn new(chain: &'a Chain, over: Option<&[Option<usize>]>) -> Self {
        let inputs = chain.inputs.len();
        let mut last_use = vec![0; inputs + chain.instrs.len()];
        for (j, instr) in chain.instrs.iter().enumerate() {
            for arg in instr.args() {
                last_use[usize::from(*arg)] = j;
            }
        }
        let done = |i: usize| {
            if chain.outputs.contains(&(i as u16)) {
                usize::MAX
            } else {
                last_use[i]
            }
        };
        let writable = match over {
            Some(over) => over.iter().map(|o| o.map_or(0, done)).collect(),
            None => vec![(0..inputs).map(done).max().unwrap_or(0); chain.outputs.len()],
        };
        Allocator {
            chain,
            last_use,
            writable,
            places: (0..inputs).map(Place::Input).collect(),
            free: Vec::new(),
            slots: inputs,
            direct: Vec::new(),
        }
    }

    fn size_of(&self, value: usize) -> usize {
        register(self.chain.dtype_of(value as u16)).size()
    }

    fn step(&mut self, j: usize) -> Step {
        let instr = &self.chain.instrs[j];
        let value = self.chain.inputs.len() + j;
        let args: Vec<Place> = instr
            .args()
            .iter()
            .map(|a| self.places[usize::from(*a)])
            .collect();
        let mut dying: Vec<(usize, usize)> = Vec::new();
        for arg in instr.args() {
            let arg = usize::from(*arg);
            if let Place::Slot(slot) = self.places[arg] {
                let known = dying.iter().any(|(s, _)| *s == slot);
                if self.last_use[arg] == j && !known {
                    dying.push((slot, self.size_of(arg)));
                }
            }
        }
        let out = self.place_result(j, value, &mut dying);
        self.free.extend(dying.iter().map(|(slot, _)| *slot));
        self.places.push(out);
        Step {
            func: instr.func,
            dtype: instr.dtype,
            args,
            out,
        }
    }

    /// An output's own memory where nothing can still read an input that
    /// lies there, else the slot of an argument that dies, else a free one.
    fn place_result(&mut self, j: usize, value: usize, dying: &mut Vec<(usize, usize)>) -> Place {
        let dtype = self.chain.dtype_of(value as u16);
        let outputs = &self.chain.outputs;
        let output = outputs.iter().position(|r| usize::from(*r) == value);
        if let Some(k) = output {
            if register(dtype) == dtype && j >= self.writable[k] {
                self.direct.push(k);
                return Place::Output(k);
            }
            self.last_use[value] = usize::MAX;
        }
        let size = self.size_of(value);
        let slot = match dying.iter().position(|(_, s)| *s == size) {
            Some(at) => dying.swap_remove(at).0,
            None => self.free.pop().unwrap_or_else(|| {
                self.slots += 1;
                self.slots - 1
            }),
        };
        // Never read: free again at once.
        if self.last_use[value] == 0 && output.is_none() {
            self.free.push(slot);
        }
        Place::Slot(slot)
    }
}
