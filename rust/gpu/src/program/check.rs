//! Whether a program's numbers agree with each other and with an adapter.

use super::{Access, Dispatch, Program, Role, VERSION};
use crate::{
    adapter::Caps,
    error::{GpuError, Result},
};

impl Program {
    /// Everything that a run relies on: indices, sizes, access rules.
    pub fn validate(&self) -> Result<()> {
        let ensure = |ok: bool, what: &str| {
            ok.then_some(())
                .ok_or_else(|| GpuError::Program(what.to_owned()))
        };
        ensure(self.version == VERSION, "unknown version")?;
        for (index, module) in self.modules.iter().enumerate() {
            let sizes = module.workgroup_size;
            let product = sizes.iter().try_fold(1_u32, |p, &s| p.checked_mul(s));
            ensure(
                product.is_some_and(|p| p > 0),
                &format!("module {index} `{}`: workgroup size {sizes:?}", module.name),
            )?;
        }
        self.validate_roles()?;
        let declared = [("input", &self.inputs), ("output", &self.outputs)];
        for (what, list) in declared {
            for (index, io) in list.iter().enumerate() {
                let role = self.buffers.get(io.buffer).map(|b| &b.role);
                let fits = match role {
                    Some(Role::Input(i)) => what == "input" && *i == index,
                    Some(Role::Output(i)) => what == "output" && *i == index,
                    _ => false,
                };
                ensure(
                    fits,
                    &format!("{what} {index} `{}`: buffer {}", io.name, io.buffer),
                )?;
            }
        }
        for (index, dispatch) in self.dispatches.iter().enumerate() {
            self.validate_dispatch(dispatch).map_err(|reason| {
                GpuError::Program(format!("dispatch {index} `{}`: {reason}", dispatch.label))
            })?;
        }
        Ok(())
    }

    /// Inputs and outputs numbered without gaps; constants as long as they say; one status.
    fn validate_roles(&self) -> Result<()> {
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        let (mut scalars, mut status) = (0, Vec::new());
        for (index, buffer) in self.buffers.iter().enumerate() {
            match &buffer.role {
                Role::Input(i) => inputs.push(*i),
                Role::Output(i) => outputs.push(*i),
                Role::Scalars => scalars += 1,
                Role::Status => status.push(index),
                Role::Constant(data) if data.len() as u64 != buffer.bytes => {
                    let (bytes, got) = (buffer.bytes, data.len());
                    let reason = format!("constant {index}: {got} bytes, declared {bytes}");
                    return Err(GpuError::Program(reason));
                }
                Role::Constant(_) | Role::Scratch => {}
            }
        }
        for (what, numbers) in [("input", &mut inputs), ("output", &mut outputs)] {
            numbers.sort_unstable();
            if numbers.iter().enumerate().any(|(i, &n)| i != n) {
                let reason = format!("{what} buffers are numbered {numbers:?}");
                return Err(GpuError::Program(reason));
            }
        }
        if scalars > 1 || status.len() > 1 || status.first().copied() != self.status {
            let reason = "more than one scalars or status buffer, or a status not declared";
            return Err(GpuError::Program(reason.to_owned()));
        }
        Ok(())
    }

    fn validate_dispatch(&self, dispatch: &Dispatch) -> Result<(), String> {
        let module = self
            .modules
            .get(dispatch.module)
            .ok_or_else(|| format!("no module {}", dispatch.module))?;
        if module.has_params == dispatch.params.is_empty() {
            return Err(format!("{} bytes of parameters", dispatch.params.len()));
        }
        if dispatch.buffers.len() != module.bindings.len() {
            let (got, wanted) = (dispatch.buffers.len(), module.bindings.len());
            return Err(format!("{got} buffers for {wanted} bindings"));
        }
        if dispatch.workgroups.contains(&0) {
            return Err("no workgroups".to_owned());
        }
        for (position, (&buffer, &access)) in
            dispatch.buffers.iter().zip(&module.bindings).enumerate()
        {
            let decl = self
                .buffers
                .get(buffer)
                .ok_or_else(|| format!("no buffer {buffer}"))?;
            if access == Access::Read {
                continue;
            }
            if matches!(
                decl.role,
                Role::Constant(_) | Role::Scalars | Role::Input(_)
            ) {
                return Err(format!("writes buffer {buffer}, which is read-only"));
            }
            let elsewhere = |(i, &b): (usize, &usize)| i != position && b == buffer;
            if dispatch.buffers.iter().enumerate().any(elsewhere) {
                return Err(format!("binds buffer {buffer} twice and writes it"));
            }
        }
        Ok(())
    }

    /// Whether an adapter can run this.
    pub fn supported_by(&self, caps: &Caps) -> Result<()> {
        let needs = &self.requires;
        let (bytes, limit) = (needs.binding_bytes, caps.max_binding_bytes);
        if bytes > limit {
            return Err(GpuError::TooLarge { bytes, limit });
        }
        let numbers = [
            (
                "storage bindings",
                needs.storage_buffers as u64,
                caps.max_storage_buffers as u64,
            ),
            (
                "bytes of workgroup memory",
                needs.workgroup_storage as u64,
                caps.max_workgroup_storage as u64,
            ),
            (
                "invocations in a workgroup",
                needs.invocations as u64,
                caps.max_invocations as u64,
            ),
        ];
        for (what, wanted, has) in numbers {
            if wanted > has {
                let reason = format!("needs {wanted} {what}; this adapter has {has}");
                return Err(GpuError::unsupported("program", reason));
            }
        }
        for feature in &needs.features {
            let has = match feature.as_str() {
                "shader-f16" => caps.f16,
                "subgroups" => caps.subgroups,
                _ => false,
            };
            if !has {
                let reason = format!("needs the feature `{feature}`, which this adapter lacks");
                return Err(GpuError::unsupported("program", reason));
            }
        }
        for dispatch in &self.dispatches {
            if dispatch.workgroups.iter().any(|&n| n > caps.max_workgroups) {
                let (label, count) = (&dispatch.label, dispatch.workgroups);
                let reason = format!("`{label}` wants {count:?} workgroups");
                return Err(GpuError::unsupported("program", reason));
            }
        }
        Ok(())
    }
}
