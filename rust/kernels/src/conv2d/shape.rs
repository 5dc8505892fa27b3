//! What a convolution is.

use std::ops::Range;

/// Sizes of a convolution; the same for its gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Conv2dShape {
    pub batch: usize,
    pub in_c: usize,
    pub in_h: usize,
    pub in_w: usize,
    pub out_c: usize,
    pub kernel_h: usize,
    pub kernel_w: usize,
    /// Down, right.
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    /// Top, left, bottom, right.
    pub pads: [usize; 4],
    pub groups: usize,
}

impl Conv2dShape {
    pub fn out_h(&self) -> usize {
        let size = self.in_h + self.pads[0] + self.pads[2];
        out_size(size, self.kernel_h, self.stride[0], self.dilation[0])
    }

    pub fn out_w(&self) -> usize {
        let size = self.in_w + self.pads[1] + self.pads[3];
        out_size(size, self.kernel_w, self.stride[1], self.dilation[1])
    }

    /// Input channels of a group.
    pub fn group_in(&self) -> usize {
        self.in_c / self.groups
    }

    /// Output channels of a group.
    pub fn group_out(&self) -> usize {
        self.out_c / self.groups
    }

    pub fn input_len(&self) -> usize {
        self.batch * self.in_c * self.in_h * self.in_w
    }

    pub fn weight_len(&self) -> usize {
        self.out_c * self.group_in() * self.kernel_h * self.kernel_w
    }

    pub fn output_len(&self) -> usize {
        self.batch * self.out_c * self.out_h() * self.out_w()
    }

    /// Elements of an input channel.
    pub(super) fn in_plane(&self) -> usize {
        self.in_h * self.in_w
    }

    /// Elements of an output channel.
    pub(super) fn out_plane(&self) -> usize {
        self.out_h() * self.out_w()
    }

    pub(super) fn kernel(&self) -> usize {
        self.kernel_h * self.kernel_w
    }

    /// Whether every group has one input channel, and there are several.
    pub(super) fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.groups == self.in_c
    }

    pub(super) fn check(&self, input: usize, weight: usize, output: usize) {
        let nonzero = self.groups > 0 && self.stride.iter().chain(&self.dilation).all(|v| *v > 0);
        assert!(
            nonzero,
            "conv2d: groups, stride and dilation are at least 1"
        );
        let divides = [self.in_c, self.out_c]
            .iter()
            .all(|c| c.is_multiple_of(self.groups));
        assert!(divides, "conv2d: groups must divide the channels");
        assert_eq!(
            input,
            self.input_len(),
            "conv2d: the input has another size"
        );
        assert_eq!(
            weight,
            self.weight_len(),
            "conv2d: the weight has another size"
        );
        assert_eq!(
            output,
            self.output_len(),
            "conv2d: the output has another size"
        );
    }

    /// Where in the input the kernel's taps lie, relative to the place that
    /// the stride gives an output element: row by row of the kernel.
    pub(super) fn taps(&self) -> Vec<[isize; 2]> {
        let at =
            |i: usize, axis: usize| (i * self.dilation[axis]) as isize - self.pads[axis] as isize;
        let rows = 0..self.kernel_h;
        rows.flat_map(|y| (0..self.kernel_w).map(move |x| [at(y, 0), at(x, 1)]))
            .collect()
    }
}

fn out_size(padded: usize, kernel: usize, stride: usize, dilation: usize) -> usize {
    let reach = dilation * kernel.saturating_sub(1) + 1;
    if kernel == 0 || padded < reach {
        0
    } else {
        (padded - reach) / stride + 1
    }
}

/// The i in 0..n for which i * step + offset lies in 0..size.
pub(super) fn inside(n: usize, step: usize, offset: isize, size: usize) -> Range<usize> {
    let step = step as isize;
    let first = (-offset).max(0).div_euclid(step) + isize::from((-offset).max(0) % step != 0);
    let beyond = (size as isize - offset).max(0);
    let end = beyond.div_euclid(step) + isize::from(beyond % step != 0);
    let end = (end as usize).min(n);
    (first as usize).min(end)..end
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn inside_is_what_it_says() {
        for n in 0..6 {
            for step in 1..4 {
                for offset in -7..7 {
                    for size in 0..6 {
                        let got = inside(n, step, offset, size);
                        let at = |i: usize| (i * step) as isize + offset;
                        let want: Vec<usize> = (0..n)
                            .filter(|i| (0..size as isize).contains(&at(*i)))
                            .collect();
                        assert_eq!(got.collect::<Vec<_>>(), want);
                    }
                }
            }
        }
    }
}
