//! What is written reads back and computes the same, at other sizes too.

use super::{Export, Recording, export};
use crate::{Model, to_bytes};
use lamina_core::{Attrs, DType, Device, Error, Result, Tensor, record};

fn tensor(shape: &[usize], seed: usize) -> Tensor {
    let len: usize = shape.iter().product();
    let value = |i: usize| ((i * 37 + seed * 11) % 23) as f32 / 7.0 - 1.5;
    let bytes: Vec<u8> = (0..len).flat_map(|i| value(i).to_le_bytes()).collect();
    Tensor::from_bytes(DType::F32, shape, &bytes, Device::Cpu).unwrap()
}

// Parameters are built on the spot.
#[allow(clippy::needless_pass_by_value)]
fn op(name: &str, inputs: &[&Tensor], attrs: Attrs) -> Tensor {
    let inputs: Vec<Tensor> = inputs.iter().map(|&t| t.clone()).collect();
    record(name, &inputs, &attrs).unwrap().swap_remove(0)
}

fn plain(name: &str, inputs: &[&Tensor]) -> Tensor {
    op(name, inputs, Attrs::new())
}

type Function<'a> = &'a dyn Fn(&Tensor) -> Tensor;

fn save(
    f: Function<'_>,
    sizes: [&[usize]; 2],
    dynamic: &[(usize, &str)],
    state: &[(String, Tensor)],
) -> Result<crate::ir::Model> {
    let recorded = sizes.map(|size| {
        // Without a value, or views of it would be values too.
        let x = Tensor::placeholder(DType::F32, size, Device::Cpu);
        let y = f(&x);
        ([("x".to_owned(), x)], [("y".to_owned(), y)])
    });
    let [first, second] = &recorded;
    let dynamic: Vec<_> = dynamic
        .iter()
        .map(|(axis, name)| ("x".to_owned(), *axis, (*name).to_owned()))
        .collect();
    export(&Export {
        first: Recording {
            inputs: &first.0,
            outputs: &first.1,
        },
        second: Some(Recording {
            inputs: &second.0,
            outputs: &second.1,
        }),
        state,
        dynamic: &dynamic,
    })
}

/// Exports at the first two sizes, loads, and compares at all of them.
fn round_trip(f: Function<'_>, sizes: [&[usize]; 3], dynamic: &[(usize, &str)]) {
    let model = save(f, [sizes[0], sizes[1]], dynamic, &[]).unwrap();
    let loaded = Model::from_bytes(to_bytes(&model).unwrap(), Device::Cpu, false).unwrap();
    for size in sizes {
        let x = tensor(size, 5);
        let results = loaded.run(&[x.clone().into()]).unwrap();
        let got = results[0].tensor().unwrap();
        let wanted = f(&x);
        assert_eq!(got.shape(), wanted.shape());
        for (a, b) in got
            .to_vec::<f32>()
            .unwrap()
            .iter()
            .zip(wanted.to_vec::<f32>().unwrap())
        {
            assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "{a} {b}");
        }
    }
}

const SIZES: [&[usize]; 3] = [&[2, 5], &[4, 5], &[7, 5]];
const BATCH: &[(usize, &str)] = &[(0, "N")];

#[test]
fn arithmetic_goes_out_and_comes_back() {
    let two = Tensor::scalar(DType::F32, 2.0);
    let f = |x: &Tensor| {
        let y = plain("sigmoid", &[&plain("mul", &[x, &two])]);
        let y = plain("div", &[&y, &plain("add", &[&plain("square", &[x]), &two])]);
        op(
            "clip",
            &[&y],
            Attrs::new().with("min", 0.1).with("max", 0.3),
        )
    };
    round_trip(&f, SIZES, BATCH);
}

#[test]
fn reductions_and_choices_too() {
    let zero = Tensor::scalar(DType::F32, 0.0);
    let f = |x: &Tensor| {
        let top = op(
            "max",
            &[x],
            Attrs::new().with("dim", vec![1i64]).with("keepdim", true),
        );
        let sum = op(
            "sum",
            &[x],
            Attrs::new().with("dim", vec![1i64]).with("keepdim", true),
        );
        let y = op(
            "softmax",
            &[&plain("sub", &[x, &top])],
            Attrs::new().with("dim", 1i64),
        );
        plain(
            "where",
            &[
                &plain("gt", &[x, &zero]),
                &y,
                &plain("remainder", &[&sum, &top]),
            ],
        )
    };
    round_trip(&f, SIZES, BATCH);
}

#[test]
fn shapes_stay_as_they_were_asked_for() {
    let f = |x: &Tensor| {
        let y = op("unsqueeze", &[x], Attrs::new().with("dim", vec![2i64]));
        let y = op(
            "permute",
            &[&y],
            Attrs::new().with("dims", vec![0i64, 2, 1]),
        );
        let y = op(
            "slice",
            &[&y],
            Attrs::new()
                .with("starts", vec![0i64, 4])
                .with("ends", vec![x.shape()[0] as i64, 0])
                .with("axes", vec![0i64, 2])
                .with("steps", vec![1i64, -2]),
        );
        let y = op(
            "expand",
            &[&y],
            Attrs::new().with("shape", vec![-1i64, 3, -1]),
        );
        op("flatten", &[&y], Attrs::new().with("start_dim", 1i64))
    };
    round_trip(&f, SIZES, BATCH);
    let rows = |x: &Tensor| {
        op(
            "reshape",
            &[x],
            Attrs::new().with("shape", vec![x.shape()[0] as i64, 5, 1]),
        )
    };
    round_trip(&rows, SIZES, BATCH);
}

#[test]
fn convolution_with_its_state_under_its_names() {
    let w = tensor(&[4, 3, 3, 3], 2);
    let f = |x: &Tensor| {
        let attrs = Attrs::new()
            .with("stride", vec![2i64, 1])
            .with("padding", "same")
            .with("dilation", vec![1i64, 1]);
        plain("relu", &[&op("conv2d", &[x, &w], attrs)])
    };
    let dynamic = &[(0, "N"), (2, "H")];
    round_trip(&f, [&[1, 3, 8, 6], &[2, 3, 16, 6], &[3, 3, 9, 6]], dynamic);
    let state = [("features.0.weight".to_owned(), w.clone())];
    let model = save(&f, [&[1, 3, 8, 6], &[2, 3, 16, 6]], dynamic, &state).unwrap();
    assert!(model.graph.initializers.contains_key("features.0.weight"));
    let shape: Vec<String> = model.graph.outputs[0]
        .shape
        .as_ref()
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(shape, ["N", "4", "?", "6"]);
    assert_eq!(model.graph.nodes.last().unwrap().outputs, ["y"]);
}

fn refused(f: Function<'_>) -> String {
    let Error { message, .. } =
        save(f, [&[2, 6], &[4, 6]], BATCH, &[]).expect_err("it bakes a size");
    message
}

#[test]
fn what_would_bake_a_dynamic_size_is_refused() {
    let got = refused(&|x| {
        op(
            "slice",
            &[x],
            Attrs::new()
                .with("starts", vec![0i64])
                .with("ends", vec![x.shape()[0] as i64 - 1]),
        )
    });
    assert_eq!(
        got,
        "onnx.save: slice: ends=[1] would bake a dynamic size (at a second size it is [3]) (recorded on inputs of shape [2, 6]); \
         write it so that it holds for every size, as with -1 or flatten"
    );
    let got = refused(&|x| {
        plain(
            "mul",
            &[x, &Tensor::scalar(DType::F32, x.shape()[0] as f64)],
        )
    });
    assert_eq!(
        got,
        "onnx.save: a constant made inside the function has other values at a second size: it would bake a dynamic size"
    );
    let got = refused(&|x| {
        if x.shape()[0] == 2 {
            plain("exp", &[x])
        } else {
            plain("neg", &[x])
        }
    });
    assert!(
        got.starts_with(
            "onnx.save: the function records 'exp' at the first size and 'neg' at a second"
        ),
        "{got}"
    );
}

#[test]
fn results_that_are_inputs_or_constants() {
    round_trip(&|x| x.clone(), SIZES, BATCH);
    let w = tensor(&[3], 4);
    round_trip(&|_| w.clone(), SIZES, BATCH);
}

#[test]
fn every_op_says_what_it_is_written_as() {
    let all = super::counterparts();
    let of = |name: &str| {
        all.iter()
            .find(|(n, _)| n == name)
            .map(|(_, ops)| ops.join(" "))
            .unwrap()
    };
    assert_eq!(of("conv2d"), "Conv");
    assert_eq!(of("linear"), "Gemm");
    assert_eq!(of("gelu"), "Gelu");
    assert_eq!(of("global_avg_pool2d"), "GlobalAveragePool");
    assert_eq!(of("add"), "Add");
    assert_eq!(of("rsqrt"), "Sqrt Reciprocal");
    assert_eq!(of("logical_and"), "And");
    assert_eq!(of("sum"), "ReduceSum");
    let missing: Vec<&str> = all
        .iter()
        .filter(|(_, ops)| ops.is_empty())
        .map(|(n, _)| n.as_str())
        .collect();
    println!("without counterpart: {}", missing.join(" "));
}
