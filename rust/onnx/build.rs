//! Rust types from ONNX's schema, without protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto/onnx-ml.proto");
    let schema = protox::compile(["onnx-ml.proto"], ["proto"])?;
    // Raw tensor data stays a slice of the file as it was read.
    prost_build::Config::new()
        .bytes([".onnx.TensorProto.raw_data"])
        .compile_fds(schema)?;
    Ok(())
}
