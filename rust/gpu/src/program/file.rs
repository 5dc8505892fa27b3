//! A program as a file: magic, length of the header, JSON header, constants and parameters.
//!
//! The header is the program with every run of bytes replaced by its place in what follows.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{BufferDecl, Dispatch, IoDecl, Module, Program, Requires, Role};
use crate::error::{GpuError, Result};

const MAGIC: &[u8; 8] = b"LAMINAGP";

/// Offset and length in the blob.
type Span = [u64; 2];

#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    requires: Requires,
    inputs: Vec<IoDecl>,
    outputs: Vec<IoDecl>,
    status: Option<usize>,
    buffers: Vec<HeaderBuffer>,
    dispatches: Vec<HeaderDispatch>,
    modules: Vec<Module>,
    blob_bytes: u64,
}

#[derive(Serialize, Deserialize)]
struct HeaderBuffer {
    bytes: u64,
    #[serde(flatten)]
    role: HeaderRole,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "role", content = "of", rename_all = "lowercase")]
enum HeaderRole {
    Input(usize),
    Output(usize),
    Constant(Span),
    Scratch,
    Status,
    Scalars,
}

#[derive(Serialize, Deserialize)]
struct HeaderDispatch {
    label: String,
    module: usize,
    params: Span,
    buffers: Vec<usize>,
    workgroups: [u32; 3],
}

/// Appends to the blob at a multiple of 16, so that ranges may be used in place.
fn put(blob: &mut Vec<u8>, data: &[u8]) -> Span {
    blob.resize(blob.len().div_ceil(16) * 16, 0);
    blob.extend_from_slice(data);
    [(blob.len() - data.len()) as u64, data.len() as u64]
}

fn get(blob: &[u8], [offset, len]: Span) -> Result<&[u8]> {
    let end = offset.checked_add(len);
    end.and_then(|end| blob.get(usize::try_from(offset).ok()?..usize::try_from(end).ok()?))
        .ok_or_else(|| GpuError::Program(format!("no bytes {offset} + {len} in its data")))
}

impl Program {
    /// The JSON header and the bytes that it refers to.
    pub fn to_parts(&self) -> Result<(String, Vec<u8>)> {
        let mut blob = Vec::new();
        let buffers = self.buffers.iter().map(|decl| HeaderBuffer {
            bytes: decl.bytes,
            role: match &decl.role {
                Role::Input(i) => HeaderRole::Input(*i),
                Role::Output(i) => HeaderRole::Output(*i),
                Role::Constant(data) => HeaderRole::Constant(put(&mut blob, data)),
                Role::Scratch => HeaderRole::Scratch,
                Role::Status => HeaderRole::Status,
                Role::Scalars => HeaderRole::Scalars,
            },
        });
        let buffers = buffers.collect();
        let dispatches = self.dispatches.iter().map(|d| HeaderDispatch {
            label: d.label.clone(),
            module: d.module,
            params: put(&mut blob, &d.params),
            buffers: d.buffers.clone(),
            workgroups: d.workgroups,
        });
        let header = Header {
            version: self.version,
            requires: self.requires.clone(),
            inputs: self.inputs.clone(),
            outputs: self.outputs.clone(),
            status: self.status,
            buffers,
            dispatches: dispatches.collect(),
            modules: self.modules.clone(),
            blob_bytes: blob.len() as u64,
        };
        let json = serde_json::to_string(&header).map_err(|e| GpuError::Program(e.to_string()))?;
        Ok((json, blob))
    }

    /// The program that `to_parts` took apart; anything else is an error.
    pub fn from_parts(json: &[u8], blob: &[u8]) -> Result<Program> {
        let header: Header =
            serde_json::from_slice(json).map_err(|e| GpuError::Program(e.to_string()))?;
        if header.blob_bytes != blob.len() as u64 {
            let (wanted, got) = (header.blob_bytes, blob.len());
            let reason = format!("{got} bytes of data, {wanted} declared");
            return Err(GpuError::Program(reason));
        }
        let mut program = Program {
            version: header.version,
            modules: header.modules,
            requires: header.requires,
            inputs: header.inputs,
            outputs: header.outputs,
            status: header.status,
            ..Program::default()
        };
        for decl in header.buffers {
            let role = match decl.role {
                HeaderRole::Input(i) => Role::Input(i),
                HeaderRole::Output(i) => Role::Output(i),
                HeaderRole::Constant(span) => Role::Constant(Arc::from(get(blob, span)?)),
                HeaderRole::Scratch => Role::Scratch,
                HeaderRole::Status => Role::Status,
                HeaderRole::Scalars => Role::Scalars,
            };
            let bytes = decl.bytes;
            program.buffers.push(BufferDecl { bytes, role });
        }
        for d in header.dispatches {
            program.dispatches.push(Dispatch {
                label: d.label,
                module: d.module,
                params: get(blob, d.params)?.to_vec(),
                buffers: d.buffers,
                workgroups: d.workgroups,
            });
        }
        program.validate()?;
        Ok(program)
    }

    /// The program as a file.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        self.validate()?;
        let (json, blob) = self.to_parts()?;
        let mut file = MAGIC.to_vec();
        file.extend((json.len() as u64).to_le_bytes());
        file.extend(checksum(json.as_bytes(), &blob).to_le_bytes());
        file.extend(json.as_bytes());
        file.extend(blob);
        Ok(file)
    }

    /// The program in the bytes of a saved file.  They are not trusted; make its
    /// executable untrusted too.
    pub fn from_bytes(data: &[u8]) -> Result<Program> {
        let short = || GpuError::Program("the file is cut short".to_owned());
        let (head, rest) = data.split_at_checked(24).ok_or_else(short)?;
        if &head[..8] != MAGIC {
            return Err(GpuError::Program("not a saved GPU program".to_owned()));
        }
        let number = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&head[at..at + 8]);
            u64::from_le_bytes(bytes)
        };
        let length = usize::try_from(number(8)).map_err(|_| short())?;
        let (json, blob) = rest.split_at_checked(length).ok_or_else(short)?;
        if checksum(json, blob) != number(16) {
            return Err(GpuError::Program("the file is damaged".to_owned()));
        }
        Program::from_parts(json, blob)
    }
}

/// FNV-1a: it finds damage, not malice.
fn checksum(json: &[u8], blob: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    json.iter().chain(blob).fold(0xcbf2_9ce4_8422_2325, step)
}
