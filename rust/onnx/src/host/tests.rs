use super::{Data, Host, binary, cast, select, unary};
use lamina_core::DType;

fn ints(values: &[i64]) -> Host {
    Host::ints(&[values.len()], values.to_vec())
}

fn grid() -> Host {
    Host::ints(&[2, 3], vec![0, 1, 2, 3, 4, 5])
}

#[test]
fn broadcasting_pairs_the_right_elements() {
    let column = Host::ints(&[2, 1], vec![10, 20]);
    let sum = binary("add", &column, &grid()).unwrap();
    assert_eq!(
        (sum.shape, sum.data),
        (vec![2, 3], Data::Int(vec![10, 11, 12, 23, 24, 25]))
    );
    let scalar = Host::scalar(DType::I64, 2.0);
    assert_eq!(
        binary("mul", &grid(), &scalar).unwrap().as_ints().unwrap(),
        [0, 2, 4, 6, 8, 10]
    );
    assert_eq!(binary("add", &ints(&[1, 2]), &grid()), None);
}

#[test]
fn integer_division_truncates_and_remainders_follow_their_sign() {
    let (a, b) = (ints(&[-7, 7, -7, 7]), ints(&[2, -2, -2, 2]));
    assert_eq!(
        binary("div_trunc", &a, &b).unwrap().as_ints().unwrap(),
        [-3, -3, 3, 3]
    );
    assert_eq!(
        binary("floor_div", &a, &b).unwrap().as_ints().unwrap(),
        [-4, -4, 3, 3]
    );
    assert_eq!(
        binary("remainder", &a, &b).unwrap().as_ints().unwrap(),
        [1, -1, -1, 1]
    );
    assert_eq!(
        binary("fmod", &a, &b).unwrap().as_ints().unwrap(),
        [-1, 1, -1, 1]
    );
    assert_eq!(binary("div_trunc", &a, &ints(&[1, 0, 1, 1])), None);
}

#[test]
fn casts_truncate_saturate_and_wrap() {
    let x = Host {
        dtype: DType::F32,
        shape: vec![4],
        data: Data::Float(vec![-1.9, 300.0, f64::NAN, 2.5]),
    };
    assert_eq!(
        cast(&x, DType::U8).unwrap().as_ints().unwrap(),
        [0, 255, 0, 2]
    );
    assert_eq!(
        cast(&ints(&[257, -1]), DType::U8)
            .unwrap()
            .as_ints()
            .unwrap(),
        [1, 255]
    );
    assert_eq!(
        cast(&x, DType::Bool).unwrap().as_ints().unwrap(),
        [1, 1, 1, 1]
    );
}

#[test]
fn moves_keep_elements_together() {
    let x = grid();
    assert_eq!(x.transpose(&[1, 0]).as_ints().unwrap(), [0, 3, 1, 4, 2, 5]);
    assert_eq!(
        x.slice(1, -1, i64::MIN, -1).unwrap().as_ints().unwrap(),
        [2, 1, 0, 5, 4, 3]
    );
    assert_eq!(
        x.slice(1, 1, i64::MAX, 1).unwrap().as_ints().unwrap(),
        [1, 2, 4, 5]
    );
    let picked = x.gather(&ints(&[-1, 0]), 1).unwrap();
    assert_eq!(
        (picked.shape.clone(), picked.as_ints().unwrap()),
        (vec![2, 2], &[2, 0, 5, 3][..])
    );
    assert_eq!(x.gather(&ints(&[3]), 1), None);
    let joined = Host::concat(&[&x, &picked], 1).unwrap();
    assert_eq!(joined.as_ints().unwrap(), [0, 1, 2, 2, 0, 3, 4, 5, 5, 3]);
    assert_eq!(x.expand(&[2, 2, 3]).unwrap().len(), 12);
}

#[test]
fn reductions() {
    let x = grid();
    assert_eq!(
        x.reduce("sum", &[0], false).unwrap().as_ints().unwrap(),
        [3, 5, 7]
    );
    let max = x.reduce("max", &[1], true).unwrap();
    assert_eq!(
        (max.shape.clone(), max.as_ints().unwrap()),
        (vec![2, 1], &[2, 5][..])
    );
    assert_eq!(
        Host::ints(&[0], vec![])
            .reduce("prod", &[0], false)
            .unwrap()
            .as_ints()
            .unwrap(),
        [1]
    );
    assert_eq!(Host::ints(&[0], vec![]).reduce("max", &[0], false), None);
}

#[test]
fn floats_round_to_their_dtype() {
    let third = binary(
        "div",
        &Host::scalar(DType::F32, 1.0),
        &Host::scalar(DType::F32, 3.0),
    )
    .unwrap();
    assert_eq!(third.to_floats(), [f64::from(1.0f32 / 3.0)]);
    let root = unary("sqrt", &Host::scalar(DType::F16, 2.0)).unwrap();
    assert_eq!(
        root.to_floats(),
        [half::f16::from_f64(2f64.sqrt()).to_f64()]
    );
    assert_eq!(third.to_bytes()[..], (1.0f32 / 3.0).to_le_bytes());
}

#[test]
fn select_broadcasts_all_three() {
    let condition = Host {
        dtype: DType::Bool,
        shape: vec![2, 1],
        data: Data::Int(vec![1, 0]),
    };
    let got = select(&condition, &ints(&[1, 2]), &Host::scalar(DType::I64, 9.0)).unwrap();
    assert_eq!(
        (got.shape.clone(), got.as_ints().unwrap()),
        (vec![2, 2], &[1, 2, 9, 9][..])
    );
}
