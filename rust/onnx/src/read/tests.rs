//! Files as they come: whole, cut short, contradictory, hostile.

use super::{read_bytes, read_model};
use crate::ir::{Attribute, Dim, Model};
use crate::proto::attribute_proto::AttributeType;
use crate::proto::tensor_proto::{DataLocation, DataType};
use crate::proto::tensor_shape_proto::{Dimension, dimension};
use crate::proto::{
    AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};
use lamina_core::{DType, ErrorKind};
use prost::Message;
use std::path::{Path, PathBuf};

fn info(name: &str, dims: &[i64]) -> ValueInfoProto {
    let dim = dims
        .iter()
        .map(|&n| Dimension {
            value: Some(if n < 0 {
                dimension::Value::DimParam("N".into())
            } else {
                dimension::Value::DimValue(n)
            }),
            denotation: None,
        })
        .collect();
    let tensor = type_proto::Tensor {
        elem_type: Some(DataType::Float as i32),
        shape: Some(TensorShapeProto { dim }),
    };
    ValueInfoProto {
        name: Some(name.into()),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(tensor)),
            denotation: None,
        }),
        ..ValueInfoProto::default()
    }
}

fn node(op: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    NodeProto {
        op_type: Some(op.into()),
        input: inputs.iter().map(|&s| s.into()).collect(),
        output: outputs.iter().map(|&s| s.into()).collect(),
        ..NodeProto::default()
    }
}

fn weight() -> TensorProto {
    TensorProto {
        name: Some("w".into()),
        dims: vec![2, 2],
        data_type: Some(DataType::Float as i32),
        float_data: vec![1.0, 2.0, 3.0, 4.0],
        ..TensorProto::default()
    }
}

/// y = Relu(x @ w)
fn small() -> ModelProto {
    ModelProto {
        ir_version: Some(8),
        opset_import: vec![OperatorSetIdProto {
            domain: None,
            version: Some(17),
        }],
        graph: Some(GraphProto {
            name: Some("g".into()),
            node: vec![
                node("MatMul", &["x", "w"], &["h"]),
                node("Relu", &["h"], &["y"]),
            ],
            initializer: vec![weight()],
            input: vec![info("x", &[-1, 2])],
            output: vec![info("y", &[-1, 2])],
            ..GraphProto::default()
        }),
        ..ModelProto::default()
    }
}

fn changed(change: impl FnOnce(&mut GraphProto)) -> lamina_core::Result<Model> {
    let mut model = small();
    change(model.graph.as_mut().unwrap());
    read_bytes(model.encode_to_vec())
}

fn message(result: lamina_core::Result<Model>) -> String {
    let error = result.expect_err("it should be refused");
    assert_eq!(error.kind, ErrorKind::Model);
    error.message
}

fn shared(file: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data")
        .join(file);
    path.exists().then_some(path)
}

#[test]
fn a_small_model_reads() {
    let model = read_bytes(small().encode_to_vec()).unwrap();
    let graph = &model.graph;
    assert_eq!(
        graph.inputs[0].shape,
        Some(vec![Dim::Named("N".into()), Dim::Fixed(2)])
    );
    assert_eq!(graph.inputs[0].dtype, Some(DType::F32));
    assert_eq!(graph.nodes[0].version, 17);
    assert_eq!(&graph.initializers["w"].bytes[4..8], 2.0f32.to_le_bytes());
}

#[test]
fn written_models_read_back_equal() {
    let first = read_bytes(small().encode_to_vec()).unwrap();
    let again = read_bytes(crate::to_bytes(&first).unwrap()).unwrap();
    assert_eq!(first, again);
}

#[test]
fn inputs_with_an_initializer_need_not_be_given() {
    let model = changed(|g| g.input.push(info("w", &[2, 2]))).unwrap();
    assert_eq!(model.graph.inputs.len(), 1);
}

#[test]
fn nodes_are_sorted_and_cycles_refused() {
    let model = changed(|g| g.node.reverse()).unwrap();
    assert_eq!(model.graph.nodes[0].op_type, "MatMul");
    let got = message(changed(|g| g.node[0].input[1] = "y".into()));
    assert_eq!(
        got,
        "the graph has a cycle: node MatMul 'h' reads, through others, what it makes"
    );
}

#[test]
fn names_must_resolve_and_be_unique() {
    assert_eq!(
        message(changed(|g| g.node[0].input[1] = "v".into())),
        "node MatMul 'h' reads 'v', which is defined nowhere"
    );
    assert_eq!(
        message(changed(|g| g.node[1].output[0] = "h".into())),
        "the value 'h' is defined twice (again by node '')"
    );
    assert_eq!(
        message(changed(|g| g.output[0].name = Some("z".into()))),
        "the graph output 'z' is defined nowhere"
    );
    assert_eq!(
        message(changed(|g| g.initializer.push(weight()))),
        "two initializers are named 'w'"
    );
    assert_eq!(
        message(changed(|g| g.input.push(info("x", &[1])))),
        "two graph inputs are named 'x'"
    );
}

#[test]
fn tensor_sizes_are_checked_without_overflow() {
    let with = |f: fn(&mut TensorProto)| message(changed(|g| f(&mut g.initializer[0])));
    assert_eq!(
        with(|t| t.dims[0] = 3),
        "initializer 'w': 4 elements for shape [3, 2] of float32, wanted 6"
    );
    assert_eq!(
        with(|t| t.dims[0] = -1),
        "initializer 'w': shape [-1, 2] has a negative size"
    );
    assert_eq!(
        with(|t| t.dims = vec![1 << 40, 1 << 40]),
        "initializer 'w': shape [1099511627776, 1099511627776] has more elements than memory can hold"
    );
    assert_eq!(
        with(|t| {
            t.float_data.clear();
            t.raw_data = Some(vec![0; 15].into());
        }),
        "initializer 'w': 15 bytes for shape [2, 2] of float32, wanted 16"
    );
    assert_eq!(
        with(|t| t.data_type = None),
        "initializer 'w': a tensor without element type"
    );
    assert_eq!(
        with(|t| {
            t.data_type = Some(DataType::Uint8 as i32);
            t.int32_data = vec![1, 2, 300, 4];
        }),
        "initializer 'w': value 300 does not fit uint8"
    );
}

#[test]
fn half_floats_stand_as_bits_in_int32_data() {
    let model = changed(|g| {
        g.initializer[0].data_type = Some(DataType::Float16 as i32);
        g.initializer[0].int32_data = vec![0x3c00, 0xc000, 0, 0x7bff];
    });
    let constant = model.unwrap().graph.initializers.remove("w").unwrap();
    assert_eq!(constant.dtype, DType::F16);
    assert_eq!(
        &constant.bytes[..],
        [0x00, 0x3c, 0x00, 0xc0, 0, 0, 0xff, 0x7b]
    );
}

#[test]
fn element_types_that_do_not_exist_here_are_listed_not_fatal() {
    let model = changed(|g| {
        g.initializer[0] = TensorProto {
            data_type: Some(DataType::String as i32),
            string_data: vec![vec![]; 4],
            ..weight()
        };
    });
    let unsupported = model.unwrap().unsupported;
    assert_eq!(unsupported[0].what, "initializer 'w'");
    assert_eq!(unsupported[0].why, "element type string");
}

#[test]
fn attributes_are_typed() {
    let with = |attribute: AttributeProto| changed(|g| g.node[1].attribute = vec![attribute]);
    let untyped = AttributeProto {
        name: Some("axis".into()),
        i: Some(3),
        ..AttributeProto::default()
    };
    let model = with(untyped.clone()).unwrap();
    assert_eq!(model.graph.nodes[1].attributes["axis"], Attribute::Int(3));
    assert_eq!(
        message(with(AttributeProto {
            f: Some(1.0),
            ..untyped.clone()
        })),
        "node Relu 'y': attribute 'axis': it has no type and several values"
    );
    assert_eq!(
        message(with(AttributeProto {
            r#type: Some(AttributeType::Tensor as i32),
            ..untyped.clone()
        })),
        "node Relu 'y': attribute 'axis': declared as TENSOR, but that field is empty"
    );
    assert_eq!(
        message(changed(|g| g.node[1].attribute = vec![untyped.clone(); 2])),
        "node Relu 'y' has the attribute 'axis' twice"
    );
}

#[test]
fn what_is_no_model_says_so() {
    assert_eq!(
        message(read_bytes(Vec::new())),
        "the file is empty, wanted an ONNX model"
    );
    assert!(message(read_bytes(b"hello, world".to_vec())).starts_with("not a whole ONNX model"));
    let mut no_graph = small();
    no_graph.graph = None;
    assert_eq!(
        message(read_bytes(no_graph.encode_to_vec())),
        "the model has no graph"
    );
    let mut newer = small();
    newer.opset_import[0].version = Some(99);
    assert_eq!(
        read_bytes(newer.encode_to_vec()).unwrap().unsupported[0].why,
        "version 99 is newer than 28, the newest known here"
    );
    assert!(
        message(read_model(Path::new("/no/such/file.onnx")))
            .starts_with("/no/such/file.onnx: cannot be read: ")
    );
    assert!(
        message(read_model(&std::env::temp_dir())).ends_with("cannot be read: not a regular file")
    );
}

fn call(op: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    NodeProto {
        domain: Some("mine".into()),
        ..node(op, inputs, outputs)
    }
}

fn function(name: &str, body: Vec<NodeProto>) -> FunctionProto {
    FunctionProto {
        name: Some(name.into()),
        domain: Some("mine".into()),
        input: vec!["a".into()],
        output: vec!["b".into()],
        node: body,
        opset_import: vec![
            OperatorSetIdProto {
                domain: None,
                version: Some(15),
            },
            OperatorSetIdProto {
                domain: Some("mine".into()),
                version: Some(1),
            },
        ],
        ..FunctionProto::default()
    }
}

#[test]
fn functions_are_expanded_with_their_own_opset() {
    let mut model = small();
    model.opset_import.push(OperatorSetIdProto {
        domain: Some("mine".into()),
        version: Some(1),
    });
    model.functions = vec![function(
        "Twice",
        vec![
            node("Exp", &["a"], &["t"]),
            node("Add", &["t", "a"], &["b"]),
        ],
    )];
    model.graph.as_mut().unwrap().node[1] = call("Twice", &["h"], &["y"]);
    let graph = read_bytes(model.encode_to_vec()).unwrap().graph;
    let ops: Vec<&str> = graph.nodes.iter().map(|n| n.op_type.as_str()).collect();
    assert_eq!(ops, ["MatMul", "Exp", "Add"]);
    assert_eq!(graph.nodes[2].version, 15);
    assert_eq!(graph.nodes[2].inputs[1], "h");
    assert_eq!(graph.nodes[2].outputs, ["y"]);
    assert_eq!(graph.nodes[2].inputs[0], graph.nodes[1].outputs[0]);
}

#[test]
fn functions_that_explode_are_refused() {
    let mut model = small();
    model.opset_import.push(OperatorSetIdProto {
        domain: Some("mine".into()),
        version: Some(1),
    });
    model.graph.as_mut().unwrap().node[1] = call("F0", &["h"], &["y"]);
    model.functions = vec![function("F0", vec![call("F0", &["a"], &["b"])])];
    assert!(message(read_bytes(model.encode_to_vec())).starts_with("function 'F0' calls itself"));
    model.functions = (0..40)
        .map(|i| {
            let next = format!("F{}", i + 1);
            function(
                &format!("F{i}"),
                vec![call(&next, &["a"], &["t"]), call(&next, &["t"], &["b"])],
            )
        })
        .collect();
    model
        .functions
        .push(function("F40", vec![node("Exp", &["a"], &["b"])]));
    assert!(
        message(read_bytes(model.encode_to_vec()))
            .contains("nodes once its functions are expanded")
    );
}

/// y = Mine(h), with these functions.
fn with_functions(call: NodeProto, functions: Vec<FunctionProto>) -> lamina_core::Result<Model> {
    let mut model = small();
    model.opset_import.push(OperatorSetIdProto {
        domain: Some("mine".into()),
        version: Some(1),
    });
    model.graph.as_mut().unwrap().node[1] = call;
    model.functions = functions;
    read_bytes(model.encode_to_vec())
}

/// An If on `condition` whose branches both hold `node`.
fn either(condition: &str, inner: &NodeProto, outputs: &[&str]) -> NodeProto {
    let branch = |name: &str| AttributeProto {
        name: Some(name.into()),
        r#type: Some(AttributeType::Graph as i32),
        g: Some(GraphProto {
            name: Some(name.into()),
            node: vec![inner.clone()],
            output: vec![info(&inner.output[0], &[])],
            ..GraphProto::default()
        }),
        ..AttributeProto::default()
    };
    NodeProto {
        attribute: vec![branch("then_branch"), branch("else_branch")],
        ..node("If", &[condition], outputs)
    }
}

#[test]
fn a_functions_graphs_mean_its_opset() {
    let body = either("a", &node("Exp", &["a"], &["inner"]), &["b"]);
    let model = with_functions(call("F", &["h"], &["y"]), vec![function("F", vec![body])]).unwrap();
    let Attribute::Graph(branch) = &model.graph.nodes[1].attributes["then_branch"] else {
        panic!("no graph")
    };
    assert_eq!(branch.nodes[0].version, 15);
    assert_eq!(branch.nodes[0].inputs, ["h"]);
}

#[test]
fn a_function_that_calls_itself_from_a_branch_is_refused() {
    let body = either("a", &call("F", &["a"], &["inner"]), &["b"]);
    let read = with_functions(call("F", &["h"], &["y"]), vec![function("F", vec![body])]);
    assert!(message(read).contains("function 'F' calls itself"));
}

#[test]
fn attributes_go_down_by_reference_and_by_default() {
    let refers = |name: &str, to: &str| AttributeProto {
        name: Some(name.into()),
        ref_attr_name: Some(to.into()),
        r#type: Some(AttributeType::Float as i32),
        ..AttributeProto::default()
    };
    let alpha = |value: f32| AttributeProto {
        name: Some("slope".into()),
        f: Some(value),
        r#type: Some(AttributeType::Float as i32),
        ..AttributeProto::default()
    };
    let leaky = NodeProto {
        attribute: vec![refers("alpha", "slope")],
        ..node("LeakyRelu", &["a"], &["b"])
    };
    let inner = FunctionProto {
        attribute_proto: vec![alpha(0.5)],
        ..function("Inner", vec![leaky])
    };
    let through = NodeProto {
        attribute: vec![refers("slope", "given")],
        ..call("Inner", &["a"], &["b"])
    };
    let outer = FunctionProto {
        attribute: vec!["given".into()],
        ..function("Outer", vec![through])
    };
    let read = |attributes: Vec<AttributeProto>| {
        let call = NodeProto {
            attribute: attributes,
            ..call("Outer", &["h"], &["y"])
        };
        let model = with_functions(call, vec![inner.clone(), outer.clone()]).unwrap();
        model.graph.nodes[1].attributes["alpha"].clone()
    };
    let given = AttributeProto {
        name: Some("given".into()),
        ..alpha(0.25)
    };
    assert_eq!(read(vec![given]), Attribute::Float(0.25));
    assert_eq!(read(Vec::new()), Attribute::Float(0.5));
}

/// A model in a folder of its own whose weight lies in `location`.
fn external(folder: &Path, location: &str, length: usize) -> lamina_core::Result<Model> {
    let mut model = small();
    let entry = |key: &str, value: String| StringStringEntryProto {
        key: Some(key.into()),
        value: Some(value),
    };
    model.graph.as_mut().unwrap().initializer[0] = TensorProto {
        float_data: Vec::new(),
        data_location: Some(DataLocation::External as i32),
        external_data: vec![
            entry("location", location.into()),
            entry("offset", "4".into()),
            entry("length", length.to_string()),
        ],
        ..weight()
    };
    let path = folder.join("model.onnx");
    std::fs::write(&path, model.encode_to_vec()).unwrap();
    read_model(&path)
}

#[test]
fn external_data_comes_only_from_beside_the_model() {
    let root = std::env::temp_dir().join(format!("lamina-external-{}", std::process::id()));
    let folder = root.join("model");
    std::fs::create_dir_all(&folder).unwrap();
    let bytes: Vec<u8> = (0..20).collect();
    std::fs::write(folder.join("weights.bin"), &bytes).unwrap();
    std::fs::write(root.join("secret.bin"), &bytes).unwrap();
    let model = external(&folder, "weights.bin", 16).unwrap();
    assert_eq!(model.graph.initializers["w"].bytes, &bytes[4..]);
    for location in ["../secret.bin", "/etc/passwd", "", "a/../../secret.bin"] {
        let got = message(external(&folder, location, 16));
        assert!(
            got.contains("is not a path below the model's folder"),
            "{got}"
        );
    }
    assert!(
        message(external(&folder, "weights.bin", 12))
            .ends_with("external data: length is 12, the shape needs 16 bytes")
    );
    std::fs::write(folder.join("weights.bin"), &bytes[..10]).unwrap();
    assert!(
        message(external(&folder, "weights.bin", 16))
            .ends_with("bytes 4 to 4+16 wanted, the file has 10")
    );
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(root.join("secret.bin"), folder.join("link.bin")).unwrap();
        assert!(
            message(external(&folder, "link.bin", 16))
                .contains("is a link out of the model's folder")
        );
    }
    std::fs::remove_dir_all(&root).unwrap();
}

#[test]
fn cut_and_damaged_files_are_refused_or_read_never_worse() {
    let mut files = vec![small().encode_to_vec()];
    files.extend(shared("mnist/mnist.onnx").map(|path| std::fs::read(path).unwrap()));
    for file in files {
        for cut in (0..file.len()).step_by(1 + file.len() / 500) {
            if let Err(error) = read_bytes(file[..cut].to_vec()) {
                assert_eq!(error.kind, ErrorKind::Model, "{error}");
            }
        }
        for i in 0..2000usize {
            let mut damaged = file.clone();
            let at = i.wrapping_mul(0x9e37_79b9) % file.len();
            damaged[at] ^= 1 << (i % 8);
            if let Err(error) = read_bytes(damaged) {
                assert!(
                    matches!(error.kind, ErrorKind::Model | ErrorKind::OutOfMemory),
                    "{error}"
                );
            }
        }
    }
}

#[test]
fn real_models_read() {
    for (file, nodes, inputs) in [
        ("faces/version-RFB-320.onnx", 200, 1),
        ("mnist/mnist.onnx", 12, 1),
        ("imagenet/SqueezeNet_fp16.onnx", 66, 1),
        ("style/candy.onnx", 57, 1),
        ("speech/silero_vad_16k_op15.onnx", 109, 3),
    ] {
        let Some(path) = shared(file) else {
            assert!(
                std::env::var_os("CI").is_none(),
                "../shared/data is missing"
            );
            continue;
        };
        let model = read_model(&path).unwrap();
        assert!(
            model.graph.nodes.len() >= nodes,
            "{file}: {} nodes",
            model.graph.nodes.len()
        );
        assert_eq!(model.graph.inputs.len(), inputs, "{file}");
        assert_eq!(model.unsupported, []);
        let again = read_bytes(crate::to_bytes(&model).unwrap()).unwrap();
        assert_eq!(again.graph, model.graph, "{file}");
    }
}
