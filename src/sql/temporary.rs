//! The temporary relations of a session, which shadow others of the same name.

use std::collections::BTreeMap;

use super::letters::fold;
use super::scope::ScopeFull;
use super::{Facts, Relation};

/// What a spelling means among the temporary relations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TempKind {
    Table,
    View,
    /// The name may mean a temporary relation, or another behind it.
    Maybe,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Temp {
    /// Otherwise it exists or not: by whether the server commits at TRUNCATE, or keeps capitals.
    certain: bool,
    /// Writes to it land in whatever it reads.
    view: bool,
    /// `None` where several differ in case alone.
    spelled: Option<String>,
}

impl Temp {
    /// What holds where this one was known and another is made.
    fn joined(self, other: Self) -> Self {
        let same = self.spelled == other.spelled;
        Self {
            certain: same && (self.certain || other.certain),
            view: self.view || other.view,
            spelled: self.spelled.filter(|_| same),
        }
    }
}

/// By folded names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TempRelations(BTreeMap<String, Temp>);

impl TempRelations {
    pub(super) fn find(&self, spelled: &str) -> Option<TempKind> {
        Some(match self.0.get(&fold(spelled))? {
            Temp { certain: true, view, spelled: Some(own) } if own == spelled => {
                if *view {
                    TempKind::View
                } else {
                    TempKind::Table
                }
            }
            Temp { .. } => TempKind::Maybe,
        })
    }

    pub(super) fn is_view(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|temp| temp.view)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a statement that succeeded made and dropped.
    pub(super) fn apply(&mut self, facts: &Facts, max: usize) -> Result<(), ScopeFull> {
        if facts.drops_all_temp {
            self.0.clear();
        }
        for spelled in &facts.drops_temp {
            let name = fold(spelled);
            if let Some(temp) = self.0.get_mut(&name) {
                if temp.spelled.as_ref() == Some(spelled) {
                    self.0.remove(&name);
                } else {
                    temp.certain = false;
                }
            }
        }
        // One candidate among others: which of them was made is not known.
        // A sequence may go with the column that owns it.
        let certain = facts.creates.iter().all(Relation::is_temp) && !facts.command.ends_with("SEQUENCE");
        let view = facts.command.contains("VIEW");
        for relation in facts.creates.iter().filter(|relation| relation.is_temp()) {
            if self.0.len() >= max && !self.0.contains_key(&relation.name) {
                return Err(ScopeFull { what: "temporary relations", max });
            }
            let spelled = facts.temp_spellings.get(&relation.name).unwrap_or(&relation.name);
            let made = Temp { certain, view, spelled: Some(spelled.clone()) };
            let made = match self.0.remove(&relation.name) {
                Some(kept) => kept.joined(made),
                None => made,
            };
            self.0.insert(relation.name.clone(), made);
        }
        Ok(())
    }

    /// From here on the name may mean a relation behind it too.
    pub(super) fn blur(&mut self, name: &str) {
        if let Some(temp) = self.0.get_mut(name) {
            temp.certain = false;
        }
    }

    /// Names that are others, or not, in the one and the other.
    pub(super) fn differing(&self, other: &Self) -> Vec<String> {
        let names = self.0.keys().chain(other.0.keys());
        let differ = |name: &&String| self.0.get(*name) != other.0.get(*name);
        names.filter(differ).cloned().collect()
    }

    /// What holds whichever of two is true.
    pub(super) fn either(&self, other: &Self) -> Self {
        let mut both = self.clone();
        for (name, temp) in other.0.iter().chain(&self.0) {
            let certain = self.0.get(name) == other.0.get(name);
            let kept = both.0.entry(name.clone()).or_insert_with(|| temp.clone());
            *kept = kept.clone().joined(temp.clone());
            kept.certain &= certain;
        }
        both
    }
}
