//! PostgreSQL's own parser as a second opinion on what Tollgate understands.
//!
//! For one text both are asked: [`opinion`] derives from PostgreSQL's parse tree what each statement
//! does, on its own and without Tollgate's code; [`compare`] holds Tollgate's facts against it.
//! Tollgate may refuse, and it may name more than is certain, but it may not miss anything.
//! [`texts`] are where texts come from, [`mutate`] makes others of them, [`run`] asks of many.

mod class;
pub mod compare;
mod course;
mod effects;
pub mod mutate;
mod names;
pub mod opinion;
mod random;
pub mod run;
mod shrink;
mod sqlsmith;
pub mod texts;
mod tree;
