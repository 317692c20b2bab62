//! Events for people. Pure.

use serde_json::Value;

/// One event on one line of at most `width` characters.
pub(super) fn line(event: &Value, width: usize) -> String {
    let field = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
    let what = match field("event") {
        "statement" => {
            let verdict = match field("code") {
                "" => field("verdict").to_owned(),
                code => format!("{} {code}", field("verdict")),
            };
            format!(
                "{:<24} {verdict:<22} {:<11} {}",
                field("principal"),
                field("class"),
                single(field("sql"))
            )
        }
        "outcome" => {
            let truncated =
                if event.get("truncated") == Some(&Value::Bool(true)) { " truncated" } else { "" };
            let milliseconds =
                event.get("duration_us").and_then(Value::as_u64).unwrap_or_default() as f64 / 1000.0;
            format!(
                "  {} rows, {milliseconds:.1} ms, {}{truncated} ({})",
                event.get("rows").and_then(Value::as_u64).unwrap_or_default(),
                field("sqlstate"),
                short(field("statement"))
            )
        }
        "connect" => format!("{:<24} connected from {}", field("principal"), field("client")),
        "login_failed" => {
            format!("{:<24} not logged in from {}: {}", field("user"), field("client"), field("reason"))
        }
        "disconnect" | "stop" => format!("{} {}", field("event"), field("reason")),
        other => other.to_owned(),
    };
    // Date and time without fraction: 2026-11-23T08:00:00.
    let time: String = field("time").chars().take(19).collect();
    clipped(&format!("{time} {} {what}", short(field("id"))), width)
}

/// One statement and its outcome, a field a line.
pub(super) fn whole(event: &Value, outcome: Option<&Value>) -> String {
    let mut out = fields(event);
    match outcome {
        Some(outcome) => {
            out.push_str("\noutcome\n");
            out.push_str(&fields(outcome));
        }
        None if event.get("verdict").is_some_and(|verdict| verdict == "allow") => {
            out.push_str("\nno outcome is on record: it runs, or the proxy ended")
        }
        None => {}
    }
    out
}

fn fields(event: &Value) -> String {
    let Some(map) = event.as_object() else { return event.to_string() };
    let lines = map.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| match value {
        Value::String(text) => format!("{name:<12} {}", tame(text)),
        other => format!("{name:<12} {other}"),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The id's last digits: those that differ between events of one moment.
fn short(id: &str) -> &str {
    id.get(id.len().saturating_sub(12)..).unwrap_or(id)
}

fn single(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A terminal obeys control characters; what clients wrote must not speak to it.
fn tame(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

fn clipped(line: &str, width: usize) -> String {
    let line = tame(line);
    if line.chars().count() <= width {
        return line;
    }
    let mut cut: String = line.chars().take(width.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_statement_is_one_line_however_it_was_written() {
        let event = json!({
            "event": "statement", "time": "2026-11-23T08:00:00.123456Z", "id": "01a2062c-e7dd-72f2-91e2-e5f54bddbd84",
            "principal": "ana@x.example", "verdict": "deny", "code": "official_write", "class": "write",
            "sql": "INSERT\n  INTO orders.daily\u{1b}[2J",
        });
        let line = line(&event, 200);
        assert!(line.starts_with("2026-11-23T08:00:00 e5f54bddbd84 ana@x.example"), "{line}");
        assert!(
            line.ends_with("deny official_write    write       INSERT INTO orders.daily\u{fffd}[2J"),
            "{line}"
        );
        assert_eq!(super::line(&event, 40).chars().count(), 40);
    }
}
