//! A disagreement's text made as small as it stays one.

use crate::compare::{Outcome, compare};
use crate::mutate::{pieces, together};

/// Texts with more tokens than this are told as they are.
const TOKENS_MAX: usize = 2_000;

/// The text without every token that the disagreement does not need.
pub(crate) fn shrunk(text: &str) -> String {
    let Some(mut kept) = pieces(text).filter(|pieces| pieces.len() <= TOKENS_MAX) else {
        return text.to_owned();
    };
    if !disagrees(&together(&kept)) {
        return text.to_owned();
    }
    let mut width = kept.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        let mut dropped = false;
        while at < kept.len() {
            let mut fewer = kept.clone();
            fewer.drain(at..(at + width).min(kept.len()));
            if disagrees(&together(&fewer)) {
                kept = fewer;
                dropped = true;
            } else {
                at += width;
            }
        }
        if width > 1 {
            width = width.div_ceil(2);
        } else if !dropped {
            return together(&kept).trim().to_owned();
        }
    }
}

fn disagrees(text: &str) -> bool {
    matches!(compare(text), Outcome::Disagreed(_))
}
