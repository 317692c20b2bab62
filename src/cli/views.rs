//! What stands in for the catalogue in `tollgate decide`: views that the text itself makes.

use std::collections::BTreeSet;

use crate::policy::{Denial, Principal, through_view};
use crate::sql::{Facts, Relation};

/// Names under which the statements so far left something other than a table. Rows written to them land
/// in what they read; the gate asks the warehouse of it.
#[derive(Debug, Default)]
pub(super) struct Views(BTreeSet<Relation>);

impl Views {
    /// Why a statement may not write, though the rules allow it by its names.
    pub(super) fn objection(&self, facts: &Facts, principal: &Principal) -> Option<Denial> {
        if facts.command == "REFRESH MATERIALIZED VIEW" {
            return None;
        }
        let view = facts.writes.iter().find(|written| self.0.contains(written))?;
        let refusal = through_view(view).with_detail(principal.name.clone());
        let reason = refusal.message.trim_start_matches("tollgate: ").to_owned();
        Some(Denial { refusal, rule: None, reason })
    }

    pub(super) fn apply(&mut self, facts: &Facts) {
        // Never forgotten: a DROP may be rolled back, a CREATE TABLE IF NOT EXISTS may do nothing.
        if !facts.command.starts_with("CREATE TABLE") && facts.command != "SELECT INTO" {
            self.0.extend(facts.creates.iter().filter(|made| !made.is_temp()).cloned());
        }
        if facts.command.ends_with("VIEW") {
            self.0.extend(facts.alters.iter().cloned());
        }
        // A rename tells both names; either may be the view from then on.
        if facts.alters.iter().any(|altered| self.0.contains(altered)) {
            self.0.extend(facts.alters.iter().cloned());
        }
    }
}
