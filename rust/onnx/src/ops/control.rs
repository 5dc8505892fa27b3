//! Choosing a branch while tracing.

use super::Handler;
use crate::trace::{Call, Traced, Value, graph_of};

pub(super) const FAMILY: &[(&str, i64, Handler)] = &[("If", 1, branch)];

/// The condition is known while tracing, or the model's shape depends on it.
fn branch(call: &mut Call<'_, '_>) -> Traced<Vec<Value>> {
    let condition = call.known(0)?;
    let taken = match condition.as_ints() {
        Some([flag]) => *flag != 0,
        _ => {
            return call.wrong(format!(
                "the condition has shape {:?} of {}, wanted one bool",
                condition.shape, condition.dtype
            ));
        }
    };
    let graph = graph_of(call.node, if taken { "then_branch" } else { "else_branch" })?;
    if !graph.inputs.is_empty() || graph.outputs.len() < call.outputs() {
        return call.wrong("a branch of an If takes no inputs and has as many outputs as the node");
    }
    let (values, from) = call.tracer.subgraph(graph, Vec::new())?;
    call.inner_sources |= from;
    Ok(values)
}
