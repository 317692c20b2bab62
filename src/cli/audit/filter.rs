//! Which events a search wants. Pure but for the time that `2d` counts from, taken when it is read.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

#[derive(Debug, Default, clap::Args)]
pub(super) struct Filter {
    #[arg(long)]
    pub principal: Option<String>,
    /// As a tool claims it.
    #[arg(long)]
    pub end_user: Option<String>,
    /// `allow` or `deny`.
    #[arg(long)]
    pub verdict: Option<String>,
    #[arg(long)]
    pub code: Option<String>,
    #[arg(long)]
    pub class: Option<String>,
    #[arg(long)]
    pub command: Option<String>,
    /// Read or written: `orders.daily`.
    #[arg(long)]
    pub relation: Option<String>,
    /// Written, created, altered or dropped.
    #[arg(long)]
    pub writes: Option<String>,
    /// Part of the SQL, in any case.
    #[arg(long, value_name = "TEXT")]
    pub sql: Option<String>,
    /// A time (RFC 3339), or how long ago: `30m`, `12h`, `2d`.
    #[arg(long, value_parser = time)]
    pub since: Option<Timestamp>,
    #[arg(long, value_parser = time)]
    pub until: Option<Timestamp>,
    #[arg(long)]
    pub session: Option<String>,
    /// `statement`, `outcome`, `connect`, `login_failed`, …
    #[arg(long)]
    pub event: Option<String>,
    #[arg(long, default_value_t = usize::MAX, hide_default_value = true)]
    pub limit: usize,
}

fn time(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let wrong =
        || format!("`{text}` is neither a time such as 2026-11-23T08:00:00Z nor an age such as 12h or 2d");
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).ok_or_else(wrong)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number: i64 = number.parse().map_err(|_| wrong())?;
    let age = number.checked_mul(seconds).map(SignedDuration::from_secs).ok_or_else(wrong)?;
    Timestamp::now().checked_sub(age).map_err(|_| wrong())
}

impl Filter {
    pub(super) fn fits(&self, event: &Value) -> bool {
        let is = |wanted: &Option<String>, field: &str| {
            wanted.as_ref().is_none_or(|wanted| event.get(field).and_then(Value::as_str) == Some(wanted))
        };
        let lists = |wanted: &str, field: &str| {
            event
                .get(field)
                .and_then(Value::as_array)
                .is_some_and(|list| list.iter().any(|name| name.as_str() == Some(wanted)))
        };
        is(&self.principal, "principal")
            && is(&self.verdict, "verdict")
            && is(&self.code, "code")
            && is(&self.class, "class")
            && is(&self.session, "session")
            && is(&self.event, "event")
            && self.command.as_ref().is_none_or(|wanted| {
                event
                    .get("command")
                    .and_then(Value::as_str)
                    .is_some_and(|command| command.eq_ignore_ascii_case(wanted))
            })
            && self
                .end_user
                .as_ref()
                .is_none_or(|wanted| event.pointer("/end_user/name").and_then(Value::as_str) == Some(wanted))
            && self.writes.as_ref().is_none_or(|wanted| lists(wanted, "writes"))
            && self.relation.as_ref().is_none_or(|wanted| lists(wanted, "reads") || lists(wanted, "writes"))
            && self.sql.as_ref().is_none_or(|part| {
                event
                    .get("sql")
                    .and_then(Value::as_str)
                    .is_some_and(|sql| sql.to_lowercase().contains(&part.to_lowercase()))
            })
            && self.in_time(event)
    }

    fn in_time(&self, event: &Value) -> bool {
        if self.since.is_none() && self.until.is_none() {
            return true;
        }
        let time = event.get("time").and_then(Value::as_str).and_then(|time| time.parse::<Timestamp>().ok());
        time.is_some_and(|time| {
            self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time <= until)
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(filter: Filter, fits: bool) {
        let event = json!({
            "event": "statement", "time": "2026-11-23T08:00:00.000000Z", "principal": "ana", "verdict": "deny",
            "sql": "INSERT INTO Orders.Daily", "reads": ["a.b"], "writes": ["orders.daily"],
            "end_user": { "name": "eve" }, "command": "INSERT",
        });
        assert_eq!(filter.fits(&event), fits, "{filter:?}");
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn all_that_is_asked_must_fit() {
        check(Filter::default(), true);
        check(Filter { principal: some("ana"), verdict: some("deny"), ..Filter::default() }, true);
        check(Filter { principal: some("ana"), verdict: some("allow"), ..Filter::default() }, false);
        check(Filter { relation: some("a.b"), ..Filter::default() }, true);
        check(Filter { writes: some("a.b"), ..Filter::default() }, false);
        check(Filter { sql: some("into orders"), command: some("insert"), ..Filter::default() }, true);
        check(Filter { end_user: some("eve"), ..Filter::default() }, true);
        check(Filter { since: time("2026-11-23T07:00:00Z").ok(), ..Filter::default() }, true);
        check(Filter { until: time("2026-11-23T07:00:00Z").ok(), ..Filter::default() }, false);
    }

    #[test]
    fn ages_and_times_are_read_and_nothing_else() {
        assert!(time("2d").is_ok() && time("2026-11-23T07:00:00Z").is_ok());
        assert!(time("2 fortnights").is_err() && time("").is_err() && time("99999999999999999999d").is_err());
    }
}
