//! What is asked of a statement before it may run: a free slot and an estimate under its cap.

pub mod admission;
pub mod ceiling;
pub mod estimate;

pub use admission::{Admission, Line, Slot};
pub use ceiling::ceiling;
