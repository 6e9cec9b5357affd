//! Images and labels in memory.

/// The images of one file or split and their classes, in file order.
#[derive(Debug, Default)]
pub struct Records {
    /// `[N, 3, 32, 32]`.
    pub pixels: Vec<u8>,
    /// `[N]`, below the number of classes.
    pub classes: Vec<i64>,
}

/// The message about a label that no class has.
pub fn impossible(index: usize, meaning: &str, value: i64, classes: u8) -> String {
    format!("record {index} has the {meaning} {value}, expected 0 to {}", classes - 1)
}
