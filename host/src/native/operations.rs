//! Counts of what libtorch is asked to compute.

use super::{NativeError, Result, check, take_text};
use std::ffi::{c_char, c_int};
use std::marker::PhantomData;

unsafe extern "C" {
    fn shim_operations_stage(number: c_int);
    fn shim_operations_begin() -> *mut c_char;
    fn shim_operations_end(out: *mut *mut c_char) -> *mut c_char;
}

/// What one operator was asked for in one stage.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// The number that [`enter`] was given.
    pub stage: usize,
    /// Such as `aten::mm`.
    pub name: String,
    /// Calls, of other operators included.
    pub calls: u64,
    /// Floating-point operations of matrix products, convolutions and attention; 0 of all others.
    pub flops: f64,
}

/// What is counted from now on belongs to this stage.
pub fn enter(stage: usize) {
    // SAFETY: stores a number.
    unsafe { shim_operations_stage(stage as c_int) }
}

/// Counts what all threads of the process ask libtorch for, until it is finished.
#[derive(Debug)]
pub struct Counting(PhantomData<()>);

impl Counting {
    /// Begins to count from 0.
    ///
    /// # Errors
    /// Somebody counts already.
    pub fn begin() -> Result<Self> {
        // SAFETY: takes nothing.
        unsafe { check(shim_operations_begin())? };
        Ok(Self(PhantomData))
    }

    /// What was counted.
    ///
    /// # Errors
    /// What libtorch refuses.
    pub fn finish(self) -> Result<Vec<Operation>> {
        let mut text = std::ptr::null_mut();
        // SAFETY: `text` outlives the call; on success it is a string that the shim hands over.
        let text = unsafe {
            check(shim_operations_end(&mut text))?;
            take_text(text)
        };
        let read = |line: &str| {
            let mut fields = line.split('\t');
            let mut field = || fields.next();
            Some(Operation {
                stage: field()?.parse().ok()?,
                name: field()?.to_owned(),
                calls: field()?.parse().ok()?,
                flops: field()?.parse().ok()?,
            })
        };
        let unread = |line: &str| NativeError(format!("a count that cannot be read: {line}"));
        text.lines().map(|line| read(line).ok_or_else(|| unread(line))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind, Tensor};

    const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

    #[test]
    fn products_and_convolutions_are_counted_by_hand() {
        let (a, b) = (Tensor::ones([3, 5], FLOAT), Tensor::ones([5, 7], FLOAT).set_requires_grad(true));
        let images = Tensor::ones([2, 4, 9, 8], FLOAT).set_requires_grad(true);
        let kernels = Tensor::ones([6, 2, 3, 3], FLOAT).set_requires_grad(true);
        let counting = Counting::begin().unwrap();
        enter(1);
        let product = a.mm(&b);
        let convolved = images.conv2d(&kernels, None::<&Tensor>, [2, 1], [1, 1], [1, 2], 2);
        enter(2);
        (product.sum(Kind::Float) + convolved.sum(Kind::Float)).backward();
        let all = counting.finish().unwrap();
        let flops = |stage: usize| all.iter().filter(|one| one.stage == stage).map(|one| one.flops).sum::<f64>();
        // 9 rows, padded by 1, kernel 3, every second one: 5; 8 columns, padded by 1, kernel 5 wide: 6.
        assert_eq!(convolved.size(), [2, 6, 5, 6]);
        let convolution = 2.0 * (2 * 6 * 5 * 6 * 2 * 3 * 3) as f64;
        assert_eq!(flops(1), 2.0 * (3 * 5 * 7) as f64 + convolution);
        // The gradient of b alone, and those of images and kernels.
        assert_eq!(flops(2), 2.0 * (3 * 5 * 7) as f64 + 2.0 * convolution);
        assert!(all.iter().any(|one| one.stage == 1 && one.name == "aten::mm" && one.calls == 1), "{all:?}");
    }
}
