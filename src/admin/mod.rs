//! For operators: health, readiness and metrics over plain HTTP.

use std::future::Future;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;

/// What keeps the process from taking work, asked at every `/readyz`.
pub trait Readiness: Send + Sync + 'static {
    /// Empty when ready.
    fn obstacles(&self) -> impl Future<Output = Vec<&'static str>> + Send;
}

struct Admin<R> {
    readiness: R,
    metrics: &'static PrometheusHandle,
}

/// Serves until `stop` is done.
pub async fn serve<R: Readiness>(
    listener: TcpListener,
    readiness: R,
    metrics: &'static PrometheusHandle,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let routes = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready::<R>))
        .route("/metrics", get(scrape::<R>))
        .with_state(Arc::new(Admin { readiness, metrics }));
    axum::serve(listener, routes).with_graceful_shutdown(stop).await
}

async fn ready<R: Readiness>(State(admin): State<Arc<Admin<R>>>) -> impl IntoResponse {
    let obstacles = admin.readiness.obstacles().await;
    let status = if obstacles.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::json!({ "ready": obstacles.is_empty(), "obstacles": obstacles }).to_string();
    (status, [(header::CONTENT_TYPE, "application/json")], body)
}

async fn scrape<R: Readiness>(State(admin): State<Arc<Admin<R>>>) -> impl IntoResponse {
    crate::telemetry::aged();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], admin.metrics.render())
}
