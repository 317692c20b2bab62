//! Logs and metrics: every name and label in one list. Labels come from closed sets: never SQL, never names.

use std::io::IsTerminal;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use metrics::{
    Counter, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::audit::OutcomeRecord;
use crate::refusal::Code;
use crate::sql::Class;

const SESSIONS: &str = "tollgate_sessions";
const SESSIONS_TOTAL: &str = "tollgate_sessions_total";
const LOGINS_FAILED: &str = "tollgate_logins_failed_total";
const STATEMENTS: &str = "tollgate_statements_total";
const ROWS: &str = "tollgate_rows_total";
const BYTES: &str = "tollgate_result_bytes_total";
const TRUNCATED: &str = "tollgate_results_truncated_total";
const SECONDS: &str = "tollgate_statement_seconds";
const EXPLAINS: &str = "tollgate_explains_total";
const CANCELS: &str = "tollgate_cancels_total";
const RELOADS: &str = "tollgate_rules_reloads_total";
const GENERATION: &str = "tollgate_rules_generation";
const UPSTREAM_FAILED: &str = "tollgate_upstream_logins_failed_total";
const UPSTREAM_WARM: &str = "tollgate_upstream_warm_sessions";
const UPSTREAM_WARM_TAKEN: &str = "tollgate_upstream_warm_total";
const AUDIT_FAILED: &str = "tollgate_audit_failures_total";
const CATALOG_REFRESHES: &str = "tollgate_catalog_refreshes_total";
const CATALOG_AGE: &str = "tollgate_catalog_age_seconds";
const CATALOG_RELATIONS: &str = "tollgate_catalog_relations";

/// When the snapshot in use was taken, for its age at every scrape.
static CATALOG_TAKEN: Mutex<Option<Timestamp>> = Mutex::new(None);

/// Logs to standard error: text on a terminal, JSON otherwise. `filter` as `RUST_LOG` knows it.
pub fn logs(filter: &str) -> Result<(), ParseError> {
    let filter = EnvFilter::try_new(filter)?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second call, as in tests, keeps the first one's.
    let _ = if std::io::stderr().is_terminal() { logs.try_init() } else { logs.json().try_init() };
    Ok(())
}

/// The process's metrics; the recorder is installed once.
pub fn metrics() -> Result<&'static PrometheusHandle, BuildError> {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    if let Some(handle) = HANDLE.get() {
        return Ok(handle);
    }
    let buckets = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 3600.0];
    let installed = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(SECONDS.to_owned()), &buckets)?
        .install_recorder();
    match installed {
        Ok(handle) => {
            describe();
            Ok(HANDLE.get_or_init(|| handle))
        }
        // Another thread was first.
        Err(error) => HANDLE.get().ok_or(error),
    }
}

/// Folds what was measured into its histograms, for ever: until then every statement's time is kept.
pub async fn tidy(metrics: &PrometheusHandle) {
    let mut rounds = tokio::time::interval(Duration::from_secs(1));
    loop {
        rounds.tick().await;
        metrics.run_upkeep();
    }
}

fn describe() {
    describe_gauge!(SESSIONS, "Sessions open now");
    describe_counter!(SESSIONS_TOTAL, "Sessions opened");
    describe_counter!(LOGINS_FAILED, "Logins that failed");
    describe_counter!(STATEMENTS, "Statements by verdict, code and class");
    describe_counter!(ROWS, "Rows passed to clients");
    describe_counter!(BYTES, "Bytes of rows passed to clients");
    describe_counter!(TRUNCATED, "Results that ended at their cap");
    describe_histogram!(SECONDS, "How long statements ran");
    describe_counter!(EXPLAINS, "Estimates asked of the warehouse");
    describe_counter!(CANCELS, "CancelRequests by whether their key fitted");
    describe_counter!(RELOADS, "Reloads of rules by outcome");
    describe_gauge!(GENERATION, "Generation of the rules that are live");
    describe_counter!(UPSTREAM_FAILED, "Logins that the warehouse refused or did not answer");
    describe_gauge!(UPSTREAM_WARM, "Sessions opened upstream ahead of need that wait now");
    describe_counter!(UPSTREAM_WARM_TAKEN, "Sessions by whether one waited upstream");
    describe_counter!(AUDIT_FAILED, "Records that could not be written");
    describe_counter!(CATALOG_REFRESHES, "Snapshots of the catalog by outcome");
    describe_gauge!(CATALOG_AGE, "Seconds since the snapshot in use was taken; absent while there is none");
    describe_gauge!(CATALOG_RELATIONS, "Relations of the snapshot in use");
    gauge!(SESSIONS).set(0.0);
    gauge!(GENERATION).set(1.0);
    counter!(AUDIT_FAILED).absolute(0);
}

pub fn session_opened() {
    gauge!(SESSIONS).increment(1.0);
    counter!(SESSIONS_TOTAL).increment(1);
}

pub fn session_closed() {
    gauge!(SESSIONS).decrement(1.0);
}

pub fn login_failed() {
    counter!(LOGINS_FAILED).increment(1);
}

/// One statement judged; `code` is `None` where it was allowed or the fault is no verdict.
pub fn statement(verdict: &'static str, code: Option<Code>, class: Class) {
    let code = code.map_or("none", Code::as_str);
    counter!(STATEMENTS, "verdict" => verdict, "code" => code, "class" => class.as_str()).increment(1);
}

/// What is counted at every statement: looked up once.
struct Hot {
    allowed: [Counter; Class::ALL.len()],
    rows: Counter,
    bytes: Counter,
    seconds: Histogram,
}

fn hot() -> &'static Hot {
    static HOT: OnceLock<Hot> = OnceLock::new();
    HOT.get_or_init(|| Hot {
        allowed: Class::ALL.map(
            |class| counter!(STATEMENTS, "verdict" => "allow", "code" => "none", "class" => class.as_str()),
        ),
        rows: counter!(ROWS),
        bytes: counter!(BYTES),
        seconds: histogram!(SECONDS),
    })
}

/// One statement allowed.
pub fn allowed(class: Class) {
    if let Some(counter) = hot().allowed.get(class as usize) {
        counter.increment(1);
    }
}

pub fn outcome(outcome: &OutcomeRecord) {
    let hot = hot();
    hot.rows.increment(outcome.rows);
    hot.bytes.increment(outcome.bytes);
    if outcome.truncated {
        counter!(TRUNCATED).increment(1);
    }
    hot.seconds.record(std::time::Duration::from_micros(outcome.duration_us).as_secs_f64());
}

pub fn explained() {
    counter!(EXPLAINS).increment(1);
}

pub fn cancelled(fitted: bool) {
    counter!(CANCELS, "fitted" => if fitted { "yes" } else { "no" }).increment(1);
}

pub fn reloaded(live: bool, generation: u64) {
    counter!(RELOADS, "outcome" => if live { "live" } else { "refused" }).increment(1);
    if live {
        gauge!(GENERATION).set(generation as f64);
    }
}

pub fn upstream_failed() {
    counter!(UPSTREAM_FAILED).increment(1);
}

/// How many sessions wait upstream.
pub fn warm_sessions(count: usize) {
    gauge!(UPSTREAM_WARM).set(count as f64);
}

/// A session upstream was needed; `hit` where one waited.
pub fn warmed(hit: bool) {
    counter!(UPSTREAM_WARM_TAKEN, "outcome" => if hit { "hit" } else { "miss" }).increment(1);
}

pub fn audit_failed() {
    counter!(AUDIT_FAILED).increment(1);
}

pub fn catalog_refreshed(live: bool) {
    counter!(CATALOG_REFRESHES, "outcome" => if live { "live" } else { "failed" }).increment(1);
}

/// A snapshot came into use; `taken` in RFC 3339.
pub fn catalog_live(relations: usize, taken: &str) {
    gauge!(CATALOG_RELATIONS).set(relations as f64);
    *CATALOG_TAKEN.lock().unwrap_or_else(PoisonError::into_inner) = taken.parse().ok();
}

/// Ages are told as they are at this moment.
pub fn aged() {
    if let Some(taken) = *CATALOG_TAKEN.lock().unwrap_or_else(PoisonError::into_inner) {
        let age = Timestamp::now().duration_since(taken).as_secs_f64();
        gauge!(CATALOG_AGE).set(age.max(0.0));
    }
}
