//! Which session settings may be changed, and to what.

use super::rule::{EndUserSource, RuleSet};
use super::{Obligations, Principal, PrincipalKind};
use crate::sql::SessionChange;

/// Settings that BI tools and drivers change and that neither names, costs nor rights hang on.
const FREE: [&str; 38] = [
    "*",
    "analyze_threshold_percent",
    "application_name",
    "bytea_output",
    "client_min_messages",
    "datestyle",
    "default_transaction_deferrable",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "describe_field_name_in_uppercase",
    "error_on_nondeterministic_update",
    "extra_float_digits",
    "geqo",
    "idle_in_transaction_session_timeout",
    "intervalstyle",
    "jit",
    "json_parse_dedup_attributes",
    "json_parse_truncate_strings",
    "json_serialization_enable",
    "json_serialization_parse_nested_strings",
    "lock_timeout",
    "navigate_super_null_on_error",
    "query_group",
    "readonly",
    "search_path",
    "seed",
    "time zone",
    "timezone",
    "transaction_deferrable",
    "transaction_isolation",
    "transaction_read_only",
    "transaction_characteristics",
    "session_characteristics",
    "transaction",
    "unlisten",
    "xmlbinary",
    "xmloption",
    "ssl_renegotiation_limit",
];

/// Settings on which the meaning of names and texts hangs: no rule frees them.
pub(super) const PINNED: [&str; 7] = [
    "client_encoding",
    "enable_case_sensitive_identifier",
    "names",
    "role",
    "session_authorization",
    "standard_conforming_strings",
    "statement_timeout",
];

/// Why a setting stays as it is, and what to do about it.
pub(super) struct Fixed {
    pub why: String,
    pub hint: &'static str,
}

const LEAVE: &str = "Leave this setting out: Tollgate holds it for every session";
const ALLOW: &str = "The data team can allow a setting by name: `session: { allow: […] }`";

/// Why a change is not allowed; `None` where it is.
pub(super) fn objection(
    change: &SessionChange,
    principal: &Principal,
    rules: &RuleSet,
    obligations: &Obligations,
) -> Option<Fixed> {
    let setting = change.setting.as_str();
    if !PINNED.contains(&setting) && rules.settings_allowed.contains_key(setting) {
        return None;
    }
    let why = refused(setting, change, principal, rules, obligations)?;
    let hint = match setting {
        "statement_timeout" => "Set a shorter time, or leave the setting out",
        _ if PINNED.contains(&setting) || setting.starts_with("app_context.") => LEAVE,
        _ => ALLOW,
    };
    Some(Fixed { why, hint })
}

fn refused(
    setting: &str,
    change: &SessionChange,
    principal: &Principal,
    rules: &RuleSet,
    obligations: &Obligations,
) -> Option<String> {
    match (setting, change.values.first().map(String::as_str)) {
        // Back to what Tollgate pinned.
        ("database", None) => None,
        ("client_encoding" | "names" | "standard_conforming_strings" | "statement_timeout", None) => None,
        ("client_encoding" | "names", Some(value)) => {
            let plain: String = value.chars().filter(char::is_ascii_alphanumeric).collect();
            let utf8 = matches!(plain.to_ascii_lowercase().as_str(), "utf8" | "unicode");
            (!utf8).then(|| format!("client_encoding is UTF8, not {value}"))
        }
        ("standard_conforming_strings", Some(value)) => {
            let on = matches!(value.to_ascii_lowercase().as_str(), "on" | "true" | "yes" | "1");
            (!on).then(|| "standard_conforming_strings stays on: backslashes must mean one thing".to_owned())
        }
        ("statement_timeout", Some(value)) => timeout(value, obligations),
        _ if setting.starts_with("app_context.") => {
            let account = rules.accounts.get(&principal.name);
            let tells = principal.kind == PrincipalKind::Service
                && account.is_some_and(|account| account.end_user == Some(EndUserSource::InitialSql));
            (!tells).then(|| "the end user is told by accounts with `end_user: initial_sql` alone".to_owned())
        }
        ("database", Some(database)) => {
            Some(format!("names would mean those of database {database}, which no rule here governs"))
        }
        _ if FREE.contains(&setting) => None,
        _ => Some(format!("the setting {setting} is not one that may be changed")),
    }
}

/// A shorter time than one's limit may be asked for.
fn timeout(value: &str, obligations: &Obligations) -> Option<String> {
    let seconds = obligations.seconds?;
    let fits = milliseconds(value).is_some_and(|ms| ms > 0 && ms <= seconds.get().saturating_mul(1000));
    (!fits).then(|| {
        format!("statement_timeout can be set to at most your limit of {seconds} s, and not to none")
    })
}

/// PostgreSQL's units of time; bare numbers are milliseconds.
fn milliseconds(value: &str) -> Option<u64> {
    let value = value.trim();
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = value.split_at_checked(digits)?;
    let factor = match unit.trim() {
        "" | "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}
