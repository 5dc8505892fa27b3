//! Products, losses, and how alike vectors are.

use super::window::two_or_three;
use super::{Builder, NoParams, sample};
use crate::ops::composed::{losses, similarity};
use crate::ops::{composed, inputs, matmul};
use crate::{Attrs, DType, Result, Tensor};

type Formed = fn(&str, &[Tensor], &Attrs) -> Result<Tensor>;

pub(super) fn entries(b: &mut Builder) {
    let products = sample(&[&[2, 3], &[3, 4]]).with("equation", "ij,jk->ik");
    b.composed("einsum", products, |name, xs, attrs| {
        Ok(vec![crate::ops::composed::einsum::einsum(name, xs, attrs)?])
    });
    b.composed("matmul", sample(&[&[4, 8], &[8, 4]]), |name, xs, attrs| {
        NoParams::from_attrs(name, attrs)?;
        let [a, b] = inputs(name, xs)?;
        Ok(vec![matmul::matmul(&a, &b)?])
    });
    b.composed(
        "linear",
        sample(&[&[4, 8], &[5, 8], &[5]]),
        |name, xs, attrs| {
            NoParams::from_attrs(name, attrs)?;
            let (x, w, bias) = two_or_three(name, xs)?;
            Ok(vec![composed::linear(x, w, bias)?])
        },
    );
    let four: &[usize] = &[4];
    let rows: &[usize] = &[4, 3];
    let classes = || sample(&[&[4, 3], &[4]]).typed(1, DType::I64);
    let formed: [(&str, super::Sample, Formed); 18] = [
        ("cross_entropy", classes(), losses::cross_entropy),
        ("nll_loss", classes(), losses::nll_loss),
        ("mse_loss", sample(&[four; 2]), losses::mse_loss),
        ("l1_loss", sample(&[four; 2]), losses::l1_loss),
        ("smooth_l1_loss", sample(&[four; 2]), losses::smooth_l1_loss),
        ("huber_loss", sample(&[four; 2]), losses::huber_loss),
        (
            "binary_cross_entropy",
            sample(&[four; 2]),
            losses::binary_cross_entropy,
        ),
        (
            "binary_cross_entropy_with_logits",
            sample(&[four; 2]),
            losses::binary_cross_entropy_with_logits,
        ),
        ("kl_div", sample(&[four; 2]), losses::kl_div),
        (
            "hinge_embedding_loss",
            sample(&[four; 2]),
            losses::hinge_embedding_loss,
        ),
        (
            "soft_margin_loss",
            sample(&[four; 2]),
            losses::soft_margin_loss,
        ),
        (
            "poisson_nll_loss",
            sample(&[four; 2]),
            losses::poisson_nll_loss,
        ),
        (
            "gaussian_nll_loss",
            sample(&[four; 3]),
            losses::gaussian_nll_loss,
        ),
        (
            "margin_ranking_loss",
            sample(&[four; 3]),
            losses::margin_ranking_loss,
        ),
        (
            "cosine_embedding_loss",
            sample(&[rows, rows, four]),
            losses::cosine_embedding_loss,
        ),
        (
            "triplet_margin_loss",
            sample(&[rows; 3]),
            losses::triplet_margin_loss,
        ),
        (
            "cosine_similarity",
            sample(&[rows; 2]),
            similarity::cosine_similarity,
        ),
        (
            "pairwise_distance",
            sample(&[rows; 2]),
            similarity::pairwise_distance,
        ),
    ];
    for (name, sample, record) in formed {
        b.composed(name, sample, move |name, xs, attrs| {
            Ok(vec![record(name, xs, attrs)?])
        });
    }
    let inputs = sample(&[&[4, 2], &[4, 3], &[5, 2, 3]]);
    b.composed("bilinear", inputs, |name, xs, attrs| {
        NoParams::from_attrs(name, attrs)?;
        Ok(vec![similarity::bilinear(name, xs)?])
    });
}
