//! Escapes inside literals and names.

/// The value of `E'…'`; `None` where an escape could be read in more than one way.
pub(super) fn unescape(raw: &str) -> Option<String> {
    let mut value = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            value.push(c);
            continue;
        }
        value.push(match chars.next()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'u' => code_point(&mut chars, 4)?,
            'U' => code_point(&mut chars, 8)?,
            'x' | '0'..='7' => return None,
            other => other,
        });
    }
    Some(value)
}

/// The value of `U&'…'` and `U&"…"`.
pub(super) fn unicode_escapes(raw: &str, escape: char) -> Option<String> {
    let mut value = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != escape {
            value.push(c);
            continue;
        }
        let mut ahead = chars.clone();
        value.push(match ahead.next()? {
            next if next == escape => {
                chars = ahead;
                escape
            }
            '+' => {
                chars = ahead;
                code_point(&mut chars, 6)?
            }
            _ => code_point(&mut chars, 4)?,
        });
    }
    Some(value)
}

fn code_point(chars: &mut std::str::Chars<'_>, digits: usize) -> Option<char> {
    let mut code = 0_u32;
    for _ in 0..digits {
        code = code.checked_mul(16)?.checked_add(chars.next()?.to_digit(16)?)?;
    }
    char::from_u32(code).filter(|c| *c != '\0')
}
