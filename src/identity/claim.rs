//! The end user behind a service account, as the tool claims it. Recorded as claimed, never trusted.

use crate::audit::record::EndUser;

const SOURCE: &str = "redash_comment";

/// The user in the comment that Redash puts before its query, as one of its versions writes it:
/// `/* Username: a@x.com, query_id: 42, … */`, for scheduled runs with `query_id` before `Username`, and
/// perhaps behind a first line `set query_group to …;`.
///
/// Only the first comment in that place counts, and only its first `Username`; anything else in it that
/// Redash would not write marks the claim as spoofed.
pub fn redash(text: &str) -> Option<EndUser> {
    let text = text.trim_start();
    let at_start = text.starts_with("/*");
    let rest = if at_start {
        text
    } else {
        let (first, rest) = text.split_once('\n')?;
        let first = first.trim_end();
        let lower = first.to_ascii_lowercase();
        let own = lower.starts_with("set query_group to ") && first.ends_with(';');
        if !own || first.matches(';').count() != 1 {
            return None;
        }
        rest.trim_start()
    };
    let (comment, after) = rest.strip_prefix("/*")?.split_once("*/")?;
    let mut name = None;
    let mut spoof = after.contains("/* Username:") || comment.contains("/*");
    for part in comment.split(", ") {
        let Some((key, value)) = part.trim().split_once(": ") else {
            spoof = true;
            continue;
        };
        if key == "Username" {
            spoof |= name.is_some();
            name.get_or_insert(value.trim());
        }
    }
    let name = name.filter(|name| !name.is_empty() && name.len() <= 320)?;
    Some(EndUser { name: name.to_owned(), source: SOURCE, spoof })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, name: Option<&str>, spoof: bool) {
        let expected = name.map(|name| EndUser { name: name.to_owned(), source: SOURCE, spoof });
        assert_eq!(redash(text), expected, "{text}");
    }

    #[test]
    fn the_comment_of_redash_names_its_user() {
        check(
            "/* Username: alice@x.com, query_id: 42, Queue: queries */ SELECT 1",
            Some("alice@x.com"),
            false,
        );
        check(
            "/* query_id: 42, Username: alice@x.com, Scheduled: True */ SELECT 1",
            Some("alice@x.com"),
            false,
        );
        check(
            "set query_group to default;\n/* Username: a@x.com, query_id: adhoc */ SELECT 1",
            Some("a@x.com"),
            false,
        );
    }

    #[test]
    fn a_comment_elsewhere_claims_nothing() {
        check("SELECT 1 /* Username: mallory@x.com */", None, false);
        check("SELECT 1;\n/* Username: mallory@x.com */ SELECT 2", None, false);
        check("SELECT 1", None, false);
    }

    #[test]
    fn a_second_user_marks_the_claim() {
        check("/* Username: a@x.com, Username: b@x.com */ SELECT 1", Some("a@x.com"), true);
        check("/* Username: a@x.com */ /* Username: b@x.com */ SELECT 1", Some("a@x.com"), true);
    }
}
