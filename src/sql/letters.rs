//! Letters as the server reads them: which make names, how names fold, which look like nothing.

/// Lower case as the server folds: ASCII only, other letters stay as they are.
pub(super) fn fold(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// Whether PostgreSQL and Redshift keep this spelling under different names.
pub(super) fn is_cased(name: &str) -> bool {
    name.contains(|c: char| c.is_ascii_uppercase())
}

pub(super) fn starts_name(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
}

pub(super) fn continues_name(c: char) -> bool {
    starts_name(c) || c.is_ascii_digit() || c == '$'
}

/// Characters that look like nothing: a reader and a server may disagree on what they separate.
pub(super) fn is_unseen(c: char) -> bool {
    let unseen = matches!(c as u32,
        0xAD | 0x34F | 0x61C | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F
        | 0x202A..=0x202E | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB
        | 0xE0000..=0xE0FFF);
    c.is_control() || unseen || (!c.is_ascii() && c.is_whitespace())
}

/// Whether two literals with this between them are one: blanks with a line's end, and line comments.
pub(super) fn joins(between: &str) -> bool {
    let blank = |line: &str| {
        let line = line.trim_ascii();
        line.is_empty() || line.starts_with("--")
    };
    between.contains(['\n', '\r']) && between.split(['\n', '\r']).all(blank)
}
