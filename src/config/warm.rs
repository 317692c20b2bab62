//! The section `upstream.warm`.

use std::time::Duration;

use super::load::{Reader, duration};
use crate::document::{Fields, Node, Value};

/// Sessions opened upstream ahead of need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WarmConfig {
    /// In all; none where 0.
    pub sessions: usize,
    /// How long one waits.
    pub age: Duration,
}

/// More are no use, and the warehouse's connections are for clients.
const SESSIONS_MAX: usize = 100;

impl Default for WarmConfig {
    fn default() -> Self {
        Self { sessions: 4, age: Duration::from_secs(60) }
    }
}

impl Reader<'_> {
    pub(super) fn warm(&mut self, value: Option<&Value>) -> WarmConfig {
        let mut config = WarmConfig::default();
        let Some(value) = value else { return config };
        if matches!(&value.node, Node::Scalar(text) if text == "off" || text == "false") {
            return WarmConfig { sessions: 0, ..config };
        }
        let mut fields = Fields::of(value, "warm", &mut self.problems);
        let sessions = |text: &str| text.parse().ok().filter(|sessions| *sessions <= SESSIONS_MAX);
        config.sessions = self.or(fields.take("sessions"), "sessions", sessions, config.sessions);
        config.age = self.or(fields.take("age"), "age", duration, config.age);
        fields.end(&mut self.problems);
        config
    }
}
