//! Loading, tracing and running on the CPU.

use super::{Item, Model};
use crate::ir::{self, Attribute, Constant, Dim, Graph, Node, ValueInfo};
use bytes::Bytes;
use lamina_core::{DType, Device, ErrorKind, Tensor};
use std::collections::BTreeMap;
use std::sync::Arc;

fn info(name: &str, dtype: DType, dims: Vec<Dim>) -> ValueInfo {
    ValueInfo {
        name: name.into(),
        dtype: Some(dtype),
        shape: Some(dims),
        ..ValueInfo::default()
    }
}

fn node(op: &str, inputs: &[&str], outputs: &[&str]) -> Node {
    Node {
        op_type: op.into(),
        version: 17,
        inputs: inputs.iter().map(|&s| s.into()).collect(),
        outputs: outputs.iter().map(|&s| s.into()).collect(),
        ..Node::default()
    }
}

fn with(mut node: Node, name: &str, value: Attribute) -> Node {
    node.attributes.insert(name.into(), value);
    node
}

fn ints(values: &[i64]) -> Constant {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    Constant {
        dtype: DType::I64,
        shape: vec![values.len()],
        bytes: bytes.into(),
    }
}

fn model(nodes: Vec<Node>, inputs: Vec<ValueInfo>, constants: Vec<(&str, Constant)>) -> ir::Model {
    let graph = Graph {
        name: "g".into(),
        nodes,
        initializers: constants
            .into_iter()
            .map(|(n, c)| (n.to_owned(), c))
            .collect(),
        inputs,
        outputs: vec![ValueInfo {
            name: "y".into(),
            ..ValueInfo::default()
        }],
        ..Graph::default()
    };
    let details = ir::Details {
        ir_version: 8,
        opsets: BTreeMap::from([(String::new(), 17)]),
        ..ir::Details::default()
    };
    ir::Model {
        details,
        graph,
        ..ir::Model::default()
    }
}

fn load(model: ir::Model) -> lamina_core::Result<Model> {
    Model::new(model, Device::Cpu, false)
}

fn run(model: &Model, inputs: &[Tensor]) -> Vec<Tensor> {
    let inputs: Vec<Item> = inputs.iter().cloned().map(Item::from).collect();
    let outputs = model.run(&inputs).unwrap();
    outputs
        .iter()
        .map(|o| o.tensor().unwrap().clone())
        .collect()
}

fn floats(shape: &[usize]) -> Tensor {
    let len: usize = shape.iter().product();
    let bytes: Vec<u8> = (0..len)
        .flat_map(|i| (i as f32 - 2.0).to_le_bytes())
        .collect();
    Tensor::from_bytes(DType::F32, shape, &bytes, Device::Cpu).unwrap()
}

fn batch() -> Vec<Dim> {
    vec![Dim::Named("N".into()), Dim::Fixed(3)]
}

/// y = x reshaped to (shape(x)[0], -1, 1), as exporters spell it.
fn reshaped() -> ir::Model {
    let nodes = vec![
        node("Shape", &["x"], &["s"]),
        node("Gather", &["s", "zero"], &["n"]),
        with(
            node("Concat", &["n", "rest"], &["t"]),
            "axis",
            Attribute::Int(0),
        ),
        node("Reshape", &["x", "t"], &["y"]),
    ];
    model(
        nodes,
        vec![info("x", DType::F32, batch())],
        vec![("zero", ints(&[0])), ("rest", ints(&[-1, 1]))],
    )
}

#[test]
fn shape_arithmetic_folds_for_every_batch() {
    let model = load(reshaped()).unwrap();
    for n in [1, 2, 5] {
        let x = floats(&[n, 3]);
        let plan = model.plan(&[x.clone().into()]).unwrap();
        assert!(plan.plan().steps().len() <= 1, "only a view is left");
        let y = &run(&model, std::slice::from_ref(&x))[0];
        assert_eq!(y.shape(), [n, 3, 1]);
        assert_eq!(y.to_vec::<f32>().unwrap(), x.to_vec::<f32>().unwrap());
    }
}

#[test]
fn a_files_bytes_go_when_it_is_loaded() {
    struct File(Vec<u8>, #[allow(dead_code)] Arc<()>);
    impl AsRef<[u8]> for File {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    let alive = Arc::new(());
    let numbers = (0..5000).flat_map(|i| (i as f32).to_le_bytes());
    let file = Bytes::from_owner(File(numbers.collect(), alive.clone()));
    let part = |from: usize, len: usize| Constant {
        dtype: DType::F32,
        shape: vec![len],
        bytes: file.slice(4 * from..4 * (from + len)),
    };
    // A weight too large to be traced with, one in a branch, and an attribute.
    let branch = |value: Constant| {
        let graph = Graph {
            nodes: vec![node("Add", &["c", "c"], &["z"])],
            initializers: [("c".to_owned(), value)].into(),
            outputs: vec![ValueInfo {
                name: "z".into(),
                ..ValueInfo::default()
            }],
            ..Graph::default()
        };
        Attribute::Graph(Arc::new(graph))
    };
    let choose = with(
        node("If", &["choice"], &["z"]),
        "then_branch",
        branch(part(7, 1)),
    );
    let nodes = vec![
        with(choose, "else_branch", branch(part(8, 1))),
        with(
            node("ConstantOfShape", &["s"], &["w"]),
            "value",
            Attribute::Tensor(part(9, 1)),
        ),
        node("Add", &["w", "weight"], &["a"]),
        node("Add", &["a", "z"], &["b"]),
        node("Add", &["b", "x"], &["y"]),
    ];
    let choice = Constant {
        dtype: DType::Bool,
        shape: Vec::new(),
        bytes: vec![1].into(),
    };
    let constants = vec![
        ("weight", part(0, 5000)),
        ("s", ints(&[1])),
        ("choice", choice),
    ];
    let x = info("x", DType::F32, vec![Dim::Fixed(1)]);
    let model = load(model(nodes, vec![x], constants)).unwrap();
    drop(file);
    assert_eq!(Arc::strong_count(&alive), 1, "the model holds its file");
    let y = run(&model, &[floats(&[1])]).remove(0);
    // weight + 9 + (7 + 7) + x
    let y = y.to_vec::<f32>().unwrap();
    assert_eq!((y[0], y[4999]), (21.0, 5020.0));
}

#[test]
fn plans_are_kept_by_shape() {
    let model = load(reshaped()).unwrap();
    let first = model.plan(&[floats(&[2, 3]).into()]).unwrap();
    let other = model.plan(&[floats(&[4, 3]).into()]).unwrap();
    assert!(std::sync::Arc::ptr_eq(
        &first,
        &model.plan(&[floats(&[2, 3]).into()]).unwrap()
    ));
    assert!(!std::sync::Arc::ptr_eq(&first, &other));
}

#[test]
fn an_input_may_decide_a_shape() {
    let inputs = vec![
        info("x", DType::F32, batch()),
        info("s", DType::I64, vec![Dim::Fixed(2)]),
    ];
    let model = load(model(
        vec![node("Reshape", &["x", "s"], &["y"])],
        inputs,
        vec![],
    ))
    .unwrap();
    let target = |dims: &[i64]| {
        let constant = ints(dims);
        Tensor::from_bytes(DType::I64, &constant.shape, &constant.bytes, Device::Cpu).unwrap()
    };
    for (dims, wanted) in [([3, 2], [3, 2]), ([-1, 6], [1, 6]), ([3, 2], [3, 2])] {
        assert_eq!(
            run(&model, &[floats(&[2, 3]), target(&dims)])[0].shape(),
            wanted
        );
    }
    let error = model
        .run(&[floats(&[2, 3]).into(), target(&[4, 2]).into()])
        .unwrap_err();
    assert_eq!(
        error.message,
        "node Reshape 'y': [2, 3] does not reshape to [4, 2]"
    );
}

#[test]
fn everything_that_is_missing_is_said_at_once() {
    let nodes = vec![
        node("StringConcat", &["x"], &["a"]),
        node("StringConcat", &["a"], &["b"]),
        Node {
            domain: "mine".into(),
            ..node("Magic", &["b"], &["c"])
        },
        with(node("Cast", &["x"], &["d"]), "to", Attribute::Int(8)),
        node("Add", &["c", "d"], &["y"]),
    ];
    let error = load(model(nodes, vec![info("x", DType::F32, batch())], vec![]))
        .err()
        .unwrap();
    assert_eq!(error.kind, ErrorKind::Unsupported);
    assert_eq!(
        error.message,
        "the model needs what is not available here:\n  \
         StringConcat: no such operator here (2 nodes, the first is StringConcat 'a')\n  \
         mine.Magic: operators of domain 'mine' are not known here and the model brings no function of that name (node mine.Magic 'c')\n  \
         Cast: attribute 'to' asks for element type string (node Cast 'd')"
    );
}

#[test]
fn inputs_are_checked_by_name() {
    let model = load(reshaped()).unwrap();
    let fails = |x: &Tensor| model.run(&[x.clone().into()]).unwrap_err();
    let error = fails(&floats(&[2, 4]));
    assert_eq!(
        (error.kind, error.message.as_str()),
        (
            ErrorKind::Shape,
            "run: input 'x' has shape [2, 4], wanted [N, 3]"
        )
    );
    let error = fails(&Tensor::from_bytes(DType::U8, &[1, 3], &[0; 3], Device::Cpu).unwrap());
    assert_eq!(
        error.message,
        "run: input 'x' has dtype uint8, wanted float32; cast it first"
    );
    let error = model.ordered(&[("z".to_owned(), 1)]).unwrap_err();
    assert_eq!(
        error.message,
        "run: the model has no input 'z'; it takes 'x'"
    );
    let error = model.ordered::<i32>(&[]).unwrap_err();
    assert_eq!(
        error.message,
        "run: input 'x' is missing; the model takes 'x'"
    );
}

#[test]
fn a_branch_is_taken_while_tracing() {
    let branch = |op: &str| {
        let graph = Graph {
            nodes: vec![node(op, &["x"], &["inner"])],
            outputs: vec![ValueInfo {
                name: "inner".into(),
                ..ValueInfo::default()
            }],
            captures: vec!["x".into()],
            ..Graph::default()
        };
        Attribute::Graph(std::sync::Arc::new(graph))
    };
    // The batch is 2?
    let chosen = with(
        with(node("If", &["c"], &["y"]), "then_branch", branch("Neg")),
        "else_branch",
        branch("Relu"),
    );
    let nodes = vec![
        node("Shape", &["x"], &["s"]),
        node("Gather", &["s", "zero"], &["n"]),
        node("Equal", &["n", "two"], &["c"]),
        chosen,
    ];
    let constants = vec![("zero", ints(&[0])), ("two", ints(&[2]))];
    let model = load(model(
        nodes,
        vec![info("x", DType::F32, batch())],
        constants,
    ))
    .unwrap();
    let first = |n: usize| run(&model, &[floats(&[n, 3])])[0].to_vec::<f32>().unwrap()[0];
    assert_eq!((first(2), first(1)), (2.0, 0.0));
}

#[test]
fn gradients_flow_through_a_model() {
    let model = load(model(
        vec![node("Mul", &["x", "x"], &["y"])],
        vec![info("x", DType::F32, batch())],
        vec![],
    ))
    .unwrap();
    let x = floats(&[1, 3]);
    x.set_requires_grad(true).unwrap();
    let traced = model.trace(&[x.clone().into()]).unwrap();
    let y = traced[0].tensor().unwrap();
    let seed = Tensor::full(&[1, 3], 1.0, DType::F32, Device::Cpu).unwrap();
    let grads = lamina_core::grad(std::slice::from_ref(y), &[x], Some(&[seed]), false).unwrap();
    assert_eq!(
        grads[0].as_ref().unwrap().to_vec::<f32>().unwrap(),
        [-4.0, -2.0, 0.0]
    );
}

#[test]
fn threads_share_a_model() {
    let model = load(reshaped()).unwrap();
    std::thread::scope(|scope| {
        for n in 1..9 {
            let model = &model;
            scope.spawn(move || {
                for _ in 0..20 {
                    assert_eq!(run(model, &[floats(&[n, 3])])[0].len(), 3 * n);
                }
            });
        }
    });
}
