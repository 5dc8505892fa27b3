//! The planner: a graph compiled for its devices.  Each pass is one file and
//! does one thing; [`Plan::build`] is the list of them.

mod affine;
mod attention;
mod blocked;
pub(crate) mod capture;
mod composed;
mod cpu;
mod cse;
mod dead;
mod donate;
mod epilogue;
pub(crate) mod explain;
mod export;
mod finish;
mod fold;
mod fuse;
mod gpu;
mod graph;
mod images;
mod inverted_residual;
mod layout;
mod leading;
mod memory;
mod program;
mod run;
mod schedule;
mod transposed;
mod tune;
mod widen;

use crate::{DType, Device, Error, Layout, Result, Value, counters};
use explain::StepInfo;
pub use export::export;
use graph::{Graph, Id, Origin};
pub(crate) use run::{Failure, Moment, Watch};
use std::collections::HashMap;

/// Where a value that crosses a part's border comes from.
enum Slot {
    Input(usize),
    Constant(Value),
    /// Made by a part: fresh memory, or a donated input's.
    Made {
        meta: crate::Meta,
        device: Device,
        donor: Option<usize>,
    },
}

enum Part {
    Cpu(cpu::CpuPart),
    Gpu(Box<gpu::GpuPart>),
}

struct Output {
    slot: usize,
    layout: Layout,
    dtype: DType,
}

/// Immutable and shared; a run takes what it needs for itself from a pool.
pub struct Plan {
    inputs: usize,
    slots: Vec<Slot>,
    /// Each part, its device, and the slots it reads and makes.
    parts: Vec<(Part, Device, Vec<usize>, Vec<usize>)>,
    /// Part and step that first write over a donated value.
    point_of_no_return: Option<(usize, usize)>,
    outputs: Vec<Output>,
    steps: Vec<StepInfo>,
    fallbacks: Vec<String>,
}

impl Plan {
    /// Compiles a graph that reads `inputs` values from outside.
    pub(crate) fn build(graph: Graph, inputs: usize) -> Result<Plan> {
        Plan::build_for(graph, inputs, None)
    }

    /// As [`Plan::build`], with GPU kernels picked for `caps` rather than for
    /// what the adapter has.
    fn build_for(mut graph: Graph, inputs: usize, caps: Option<&lamina_gpu::Caps>) -> Result<Plan> {
        program::program(&mut graph);
        dead::dead(&mut graph);
        // Before folding: half-precision weights are widened once.
        widen::widen(&mut graph);
        fold::fold(&mut graph)?;
        affine::affine(&mut graph)?;
        cse::cse(&mut graph);
        composed::composed(&mut graph);
        transposed::transposed(&mut graph);
        let mut fallbacks = fuse::place(&mut graph);
        fuse::fuse(&mut graph);
        epilogue::epilogue(&mut graph);
        finish::finish(&mut graph);
        attention::attention(&mut graph);
        blocked::blocked(&mut graph)?;
        tune::tune(&mut graph)?;
        affine::scale_weights(&mut graph)?;
        inverted_residual::inverted_residual(&mut graph);
        let placed = layout::layout(&mut graph)?;
        let donated = donate::donate(&mut graph, &placed);
        let scalars = schedule::scalar_slots(&graph);
        let (parts, more) = schedule::schedule(&mut graph, &placed, &scalars, &donated, caps)?;
        fallbacks.extend(more);
        let plan = assemble(&graph, &placed, &donated, parts, inputs, fallbacks)?;
        counters::add(&counters::PLANS);
        Ok(plan)
    }

    pub(crate) fn input_count(&self) -> usize {
        self.inputs
    }

    pub(crate) fn part_count(&self) -> usize {
        self.parts.len()
    }

    pub fn steps(&self) -> &[StepInfo] {
        &self.steps
    }

    pub fn fallbacks(&self) -> &[String] {
        &self.fallbacks
    }

    /// An error that lists the steps that have no kernel on their device.
    pub fn refuse_fallbacks(&self) -> Result<()> {
        if self.fallbacks.is_empty() {
            return Ok(());
        }
        Err(Error::unsupported(format!(
            "strict: {} step(s) have no kernel on the GPU: {}; load without strict to run them on the CPU",
            self.fallbacks.len(),
            self.fallbacks.join("; ")
        )))
    }

    /// Bytes that CPU intermediates take in one run.
    pub fn arena_bytes(&self) -> usize {
        self.cpu_parts().map(cpu::CpuPart::arena_bytes).sum()
    }

    /// Bytes of the most CPU intermediates that a part has at once: what the
    /// arenas could not do without.
    pub fn live_bytes(&self) -> usize {
        self.cpu_parts().map(cpu::CpuPart::live_bytes).sum()
    }

    fn cpu_parts(&self) -> impl Iterator<Item = &cpu::CpuPart> {
        self.parts.iter().filter_map(|(part, ..)| match part {
            Part::Cpu(part) => Some(part),
            Part::Gpu(_) => None,
        })
    }

    /// For each result, which input's storage it takes over.
    pub(crate) fn donations(&self) -> Vec<Option<usize>> {
        self.outputs
            .iter()
            .map(|output| match &self.slots[output.slot] {
                Slot::Made { donor, .. } => *donor,
                _ => None,
            })
            .collect()
    }
}

/// Why the graph from `inputs` to `outputs` would not run whole on a GPU of
/// these capabilities (which need not be there); None: it would.
pub(crate) fn missing_on_gpu(
    inputs: &[crate::Tensor],
    outputs: &[crate::Tensor],
    caps: &lamina_gpu::Caps,
) -> Result<Option<String>> {
    let mut graph = capture::Capture::new(outputs.to_vec(), inputs)?.graph(false);
    program::program(&mut graph);
    dead::dead(&mut graph);
    widen::widen(&mut graph);
    if let Some(why) = (graph.nodes.iter()).find_map(|node| fuse::not_on_gpu(&graph, node)) {
        return Ok(Some(why));
    }
    fuse::fuse(&mut graph);
    epilogue::epilogue(&mut graph);
    let placed = layout::layout(&mut graph);
    schedule::missing(&graph, &placed?, caps)
}

/// Gives every value that crosses a border its slot and builds the parts.
fn assemble(
    graph: &Graph,
    placed: &[layout::Placed],
    donated: &donate::Donated,
    parts: Vec<schedule::Part>,
    inputs: usize,
    fallbacks: Vec<String>,
) -> Result<Plan> {
    let mut slots = Vec::new();
    let mut border: HashMap<Id, usize> = HashMap::new();
    let mut input_index: HashMap<Id, usize> = HashMap::new();
    for (id, def) in graph.values.iter().enumerate() {
        let slot = match &def.origin {
            Origin::Input(input) => {
                input_index.insert(id, input.index);
                Slot::Input(input.index)
            }
            Origin::Constant(value) => Slot::Constant(value.clone()),
            Origin::Scaled { .. } | Origin::Node => continue,
        };
        border.insert(id, slots.len());
        slots.push(slot);
    }
    let mut made_on: HashMap<Id, Device> = HashMap::new();
    for part in &parts {
        for &at in &part.nodes {
            let outputs = graph.nodes[at].outputs.iter();
            made_on.extend(outputs.map(|&id| (id, part.device)));
        }
    }
    for id in crossing(graph, placed, &parts) {
        if border.contains_key(&id) {
            continue;
        }
        let donor = donated
            .donor_of
            .get(&id)
            .and_then(|d| input_index.get(d))
            .copied();
        let device = made_on.get(&id).copied();
        let device = device.unwrap_or(graph.values[id].device);
        border.insert(id, slots.len());
        slots.push(Slot::Made {
            meta: graph.meta(id).clone(),
            device,
            donor,
        });
    }
    let outputs = graph
        .outputs
        .iter()
        .map(|o| {
            let place = &placed[o.value];
            let slot = *border
                .get(&place.root)
                .ok_or_else(|| Error::internal("a result without a slot"))?;
            Ok(Output {
                slot,
                layout: place.layout.clone(),
                dtype: graph.meta(o.value).dtype,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let writes = |at: &usize| {
        let outputs = &graph.nodes[*at].outputs;
        outputs.iter().any(|id| donated.donor_of.contains_key(id))
    };
    let point_of_no_return = parts.iter().enumerate().find_map(|(at, part)| {
        let step = part.nodes.iter().position(writes)?;
        Some((at, step))
    });
    let mut steps = explain::steps(graph, placed, &parts);
    let mut built = Vec::with_capacity(parts.len());
    for part in parts {
        let reads = slots_of(graph, placed, &part.nodes, &border, true);
        let makes = slots_of(graph, placed, &part.nodes, &border, false);
        let device = part.device;
        let part = match device {
            Device::Cpu => Part::Cpu(cpu::CpuPart::build(
                graph,
                placed,
                donated,
                &part.nodes,
                &border,
            )),
            Device::Gpu(_) => {
                let roots = gpu::Roots {
                    graph,
                    placed,
                    donated,
                    border: &border,
                };
                Part::Gpu(Box::new(gpu::GpuPart::build(
                    &roots,
                    device,
                    &part.nodes,
                    part.kernels,
                )?))
            }
        };
        built.push((part, device, reads, makes));
    }
    for step in &mut steps {
        if let Part::Cpu(part) = &built[step.place.0].0 {
            step.images_at_once = part.images_at_once(step.place.1);
        }
    }
    Ok(Plan {
        inputs,
        slots,
        parts: built,
        point_of_no_return,
        outputs,
        steps,
        fallbacks,
    })
}

/// Roots that are results, or made in one part and read in another, and
/// 0-d values that a GPU part takes by value.
fn crossing(graph: &Graph, placed: &[layout::Placed], parts: &[schedule::Part]) -> Vec<Id> {
    let mut part_of: HashMap<Id, usize> = HashMap::new();
    let mut out: Vec<Id> = graph.outputs.iter().map(|o| placed[o.value].root).collect();
    for (index, part) in parts.iter().enumerate() {
        for &at in &part.nodes {
            let roots = graph.nodes[at].inputs.iter().map(|&id| placed[id].root);
            out.extend(roots.filter(|root| part_of.get(root).is_some_and(|&p| p != index)));
            part_of.extend(graph.nodes[at].outputs.iter().map(|&id| (id, index)));
        }
    }
    out
}

fn slots_of(
    graph: &Graph,
    placed: &[layout::Placed],
    nodes: &[usize],
    border: &HashMap<Id, usize>,
    reads: bool,
) -> Vec<usize> {
    let mut found: Vec<usize> = nodes
        .iter()
        .flat_map(|&at| {
            if reads {
                &graph.nodes[at].inputs
            } else {
                &graph.nodes[at].outputs
            }
        })
        .filter_map(|&id| border.get(&placed[id].root).copied())
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}
