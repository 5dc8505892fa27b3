//! Reading a model as what it is: a file from somebody else.  Every size is
//! checked before memory is taken for it, every name resolved, every
//! attribute typed; what is wrong is said with its place.

mod attribute;
mod external;
mod function;
mod graph;
mod order;
mod tensor;
mod weigh;

pub(crate) use tensor::dtype;

use crate::ir::{Details, Model, Unsupported};
use crate::proto::ModelProto;
use bytes::Bytes;
use lamina_core::{Error, Result, files, memory};
use prost::Message;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

/// The newest version of each operator set that is known here.
pub(crate) const NEWEST: &[(&str, i64)] = &[
    ("", 28),
    ("ai.onnx.ml", 5),
    ("ai.onnx.preview", 1),
    ("ai.onnx.preview.training", 1),
];

/// The newest file format known here.
const NEWEST_IR: i64 = 14;

/// Reads and checks the model at `path`; external data may lie beside it.
pub fn read_model(path: &Path) -> Result<Model> {
    read(path, true)
}

/// As [`read_model`], without external data that is too large to decide a
/// shape.
pub fn read_outline(path: &Path) -> Result<Model> {
    read(path, false)
}

fn read(path: &Path, weights: bool) -> Result<Model> {
    let name = path.display().to_string();
    let bytes = files::read(path).map_err(|e| e.within(&name))?;
    let folder = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    parse(bytes.into(), Some(folder), weights).map_err(|e| e.within(&name))
}

/// Checks a model that is already in memory; it cannot have external data.
pub fn read_bytes(bytes: impl Into<Bytes>) -> Result<Model> {
    parse(bytes.into(), None, true)
}

/// What the parts of the reader share.
pub(crate) struct Context {
    /// Where external data may lie.
    folder: Option<PathBuf>,
    /// Whether weights are read from there.
    weights: bool,
    unsupported: Vec<Unsupported>,
    known_unsupported: HashSet<(String, String)>,
    opsets: BTreeMap<String, i64>,
    functions: function::Functions,
    /// The function whose nodes are being read.
    within: function::Within,
    /// Nodes read so far, those of expanded functions included.
    nodes: usize,
    /// Graphs around the one that is read.
    depth: usize,
    /// Bytes that what was read takes: the file's are ours until it is loaded.
    taken: usize,
}

/// What protocol buffers themselves allow a message.
const MAX_MESSAGE: usize = 1 << 31;

/// Graphs in graphs go no deeper: functions that call themselves out of a
/// branch would never end.
const MAX_DEPTH: usize = 64;

/// More nodes than any model has: functions that call functions twice grow
/// exponentially.
const MAX_NODES: usize = 1 << 18;

impl Context {
    fn count_node(&mut self) -> Result<()> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(Error::model(format!(
                "the model has more than {MAX_NODES} nodes once its functions are expanded"
            )));
        }
        Ok(())
    }

    fn unsupported(&mut self, what: String, why: String) {
        if self.known_unsupported.insert((what.clone(), why.clone())) {
            self.unsupported.push(Unsupported { what, why });
        }
    }

    /// Room for `bytes` more, before they are taken.
    fn take(&mut self, bytes: usize) -> Result<()> {
        self.taken = self.taken.saturating_add(bytes);
        memory::check_budget(self.taken)
    }

    /// Into a graph inside the one that is read.
    fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Error::model(format!(
                "graphs nest deeper than {MAX_DEPTH}, or a function calls itself"
            )));
        }
        Ok(())
    }
}

fn parse(bytes: Bytes, folder: Option<PathBuf>, weights: bool) -> Result<Model> {
    if bytes.is_empty() {
        return Err(Error::model("the file is empty, wanted an ONNX model"));
    }
    if bytes.len() >= MAX_MESSAGE {
        return Err(Error::model(format!(
            "{} bytes, but an ONNX file is at most {MAX_MESSAGE}: larger weights belong into external data",
            bytes.len()
        )));
    }
    let taken = bytes.len().saturating_add(weigh::model(&bytes)?);
    memory::check_budget(taken)?;
    let proto = ModelProto::decode(bytes).map_err(|e| {
        Error::model(format!(
            "not a whole ONNX model (cut short, or another format): {e}"
        ))
    })?;
    let ir_version = proto.ir_version();
    if ir_version < 1 {
        return Err(Error::model(format!(
            "ir_version is {ir_version}, wanted 1 to {NEWEST_IR}: not an ONNX model, or a damaged one"
        )));
    }
    let opsets = opsets(&proto.opset_import, "the model")?;
    let mut context = Context {
        folder,
        weights,
        unsupported: Vec::new(),
        known_unsupported: HashSet::new(),
        opsets: opsets.clone(),
        functions: function::Functions::new(proto.functions)?,
        within: function::Within::default(),
        nodes: 0,
        depth: 0,
        taken,
    };
    if ir_version > NEWEST_IR {
        context.unsupported(
            "the file".into(),
            format!("ir_version {ir_version} is newer than {NEWEST_IR}, the newest known here"),
        );
    }
    for (domain, version) in &opsets {
        if let Some((_, newest)) = NEWEST.iter().find(|(d, _)| d == domain)
            && version > newest
        {
            let domain = if domain.is_empty() { "ai.onnx" } else { domain };
            context.unsupported(
                format!("operator set {domain}"),
                format!("version {version} is newer than {newest}, the newest known here"),
            );
        }
    }
    let graph = proto
        .graph
        .ok_or_else(|| Error::model("the model has no graph"))?;
    let graph = graph::read(&mut context, graph, &[])?;
    Ok(Model {
        details: Details {
            ir_version,
            producer: proto.producer_name.unwrap_or_default(),
            producer_version: proto.producer_version.unwrap_or_default(),
            domain: proto.domain.unwrap_or_default(),
            version: proto.model_version.unwrap_or_default(),
            doc: proto.doc_string.unwrap_or_default(),
            opsets,
            metadata: proto
                .metadata_props
                .into_iter()
                .map(|p| (p.key.unwrap_or_default(), p.value.unwrap_or_default()))
                .collect(),
        },
        graph,
        unsupported: context.unsupported,
    })
}

/// ONNX's own domain is written in two ways.
fn plain_domain(domain: &str) -> &str {
    if domain == "ai.onnx" { "" } else { domain }
}

fn opsets(
    imports: &[crate::proto::OperatorSetIdProto],
    whose: &str,
) -> Result<BTreeMap<String, i64>> {
    let mut opsets = BTreeMap::new();
    for import in imports {
        let domain = plain_domain(import.domain());
        let version = import.version();
        if version < 1 {
            return Err(Error::model(format!(
                "{whose} imports operator set '{domain}' in version {version}, wanted 1 or more"
            )));
        }
        if opsets
            .insert(domain.to_owned(), version)
            .is_some_and(|before| before != version)
        {
            return Err(Error::model(format!(
                "{whose} imports operator set '{domain}' in two versions"
            )));
        }
    }
    Ok(opsets)
}

#[cfg(test)]
mod tests;
