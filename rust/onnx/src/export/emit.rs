//! One node on its way out: what it asks for, and what is written.

use super::walk::Step;
use super::{Builder, elementwise, network, sampling, shape};
use crate::ir::{Attribute, Constant};
use lamina_core::{Attr, DType, Error, Result};

/// One recorded node on its way to ONNX.
pub(super) struct Emit<'a> {
    pub(super) builder: &'a mut Builder,
    pub(super) step: &'a Step,
    pub(super) inputs: &'a [String],
    pub(super) outputs: &'a [String],
}

impl Emit<'_> {
    pub(super) fn op(&mut self) -> Result<()> {
        let name = self.step.name.clone();
        if elementwise::emit(self, &name)?
            || network::emit(self, &name)?
            || sampling::emit(self, &name)?
            || shape::emit(self, &name)?
        {
            return Ok(());
        }
        Err(Error::unsupported(format!(
            "onnx.save: '{name}' has no ONNX counterpart{}",
            self.step.place()
        )))
    }

    pub(super) fn dtype(&self, input: usize) -> DType {
        self.step.inputs[input].dtype()
    }

    /// Whether somebody reads output `index`.
    pub(super) fn wants(&self, index: usize) -> bool {
        self.builder.used.contains(&(self.step.id, index))
    }

    pub(super) fn rank(&self, input: usize) -> usize {
        self.step.inputs[input].rank()
    }

    /// A parameter, the same at both sizes.
    pub(super) fn attr(&self, name: &str) -> Result<Attr> {
        self.step.stable(name)
    }

    pub(super) fn int(&self, name: &str) -> Result<i64> {
        match self.attr(name)? {
            Attr::Int(v) => Ok(v),
            Attr::Bool(v) => Ok(i64::from(v)),
            other => Err(self.odd(name, &other)),
        }
    }

    pub(super) fn float(&self, name: &str) -> Result<f64> {
        match self.attr(name)? {
            Attr::Float(v) => Ok(v),
            Attr::Int(v) => Ok(v as f64),
            other => Err(self.odd(name, &other)),
        }
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool> {
        Ok(self.int(name)? != 0)
    }

    pub(super) fn text(&self, name: &str) -> Result<String> {
        match self.attr(name)? {
            Attr::Str(v) => Ok(v),
            other => Err(self.odd(name, &other)),
        }
    }

    pub(super) fn ints(&self, name: &str) -> Result<Option<Vec<i64>>> {
        match self.attr(name)? {
            Attr::None => Ok(None),
            Attr::Ints(v) => Ok(Some(v)),
            Attr::Int(v) => Ok(Some(vec![v])),
            other => Err(self.odd(name, &other)),
        }
    }

    pub(super) fn odd(&self, name: &str, got: &Attr) -> Error {
        Error::internal(format!(
            "onnx.save: {}: {name}={got} is not of the kind expected",
            self.step.name
        ))
    }

    /// A node from values to a new one.
    pub(super) fn make(
        &mut self,
        op: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) -> String {
        let name = self.builder.fresh(op);
        self.builder.node(op, inputs, &[&name], attributes);
        name
    }

    /// The node's first output.
    pub(super) fn finish(&mut self, op: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) {
        let output = self.outputs[0].clone();
        self.builder.node(op, inputs, &[&output], attributes);
    }

    /// `op` on the node's own inputs.
    pub(super) fn direct(&mut self, op: &str, attributes: &[(&str, Attribute)]) {
        let inputs: Vec<&str> = self.inputs.iter().map(String::as_str).collect();
        self.finish(op, &inputs, attributes);
    }

    /// A vector of int64 as an initializer.
    pub(super) fn numbers(&mut self, values: &[i64]) -> String {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.initializer(Constant {
            dtype: DType::I64,
            shape: vec![values.len()],
            bytes: bytes.into(),
        })
    }

    /// A 0-d initializer of `dtype`.
    pub(super) fn scalar(&mut self, dtype: DType, number: f64) -> String {
        let host = crate::host::Host::scalar(dtype, number);
        self.initializer(Constant {
            dtype,
            shape: Vec::new(),
            bytes: host.to_bytes(),
        })
    }

    pub(super) fn initializer(&mut self, constant: Constant) -> String {
        let name = self.builder.fresh("constant");
        self.builder.initializers.insert(name.clone(), constant);
        name
    }
}
