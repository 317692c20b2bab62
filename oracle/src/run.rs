//! Asks both opinions of many texts on every core.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::compare::{Disagreement, Outcome, compare};
use crate::mutate::mutated;
use crate::opinion::{Reading, opinions};
use crate::shrink::shrunk;
use crate::texts::Source;

/// Parsers go as deep as their input.
const STACK_BYTES: usize = 64 << 20;
/// Texts handed to a thread at once.
const PORTION: u64 = 256;
const SHRUNK_MAX: usize = 400;
const SAMPLE_MAX: usize = 400;

/// What came of a run.
#[derive(Debug, Default)]
pub struct Tally {
    pub texts: u64,
    pub agreed: u64,
    pub refused: u64,
    /// Of those refused, how many PostgreSQL parses.
    pub refused_parsed: u64,
    pub other_dialect: u64,
    pub disagreed: u64,
    /// By text, made small.
    pub disagreements: BTreeMap<String, Disagreement>,
    /// Texts that only Tollgate takes, and PostgreSQL's reason.
    pub only_tollgate: Vec<(String, String)>,
    /// Texts that PostgreSQL parses, and Tollgate's reason to refuse.
    pub only_oracle: Vec<(String, String)>,
}

impl Tally {
    fn count(&mut self, text: String, outcome: Outcome) {
        self.texts += 1;
        match outcome {
            Outcome::Agreed => self.agreed += 1,
            Outcome::Refused(reason) => {
                self.refused += 1;
                if opinions(&text, Reading::Standard).is_ok() {
                    self.refused_parsed += 1;
                    if self.only_oracle.len() < SAMPLE_MAX {
                        self.only_oracle.push((text, reason));
                    }
                }
            }
            Outcome::OtherDialect(reason) => {
                self.other_dialect += 1;
                if self.only_tollgate.len() < SAMPLE_MAX {
                    self.only_tollgate.push((text, reason));
                }
            }
            Outcome::Disagreed(disagreement) => {
                self.disagreed += 1;
                if self.disagreements.len() < SHRUNK_MAX {
                    let small = shrunk(&text);
                    let disagreement = match compare(&small) {
                        Outcome::Disagreed(disagreement) => disagreement,
                        Outcome::Agreed | Outcome::Refused(_) | Outcome::OtherDialect(_) => disagreement,
                    };
                    self.disagreements.insert(small, disagreement);
                }
            }
        }
    }

    fn add(&mut self, other: Self) {
        self.texts += other.texts;
        self.agreed += other.agreed;
        self.refused += other.refused;
        self.refused_parsed += other.refused_parsed;
        self.other_dialect += other.other_dialect;
        self.disagreed += other.disagreed;
        self.disagreements.extend(other.disagreements);
        self.only_tollgate.extend(other.only_tollgate);
        self.only_oracle.extend(other.only_oracle);
    }

    /// The smallest texts on which the opinions differ, one of each sort, as lines to read.
    pub fn smallest(&self, count: usize) -> Vec<String> {
        let mut sorts: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (text, told) in &self.disagreements {
            sorts.entry(sort_of(told)).or_default().push((text, told));
        }
        let mut firsts: Vec<_> = sorts
            .into_values()
            .filter_map(|same| Some((same.len(), same.into_iter().min_by_key(|(text, _)| text.len())?)))
            .collect();
        firsts.sort_by_key(|(_, (text, _))| text.len());
        let show = |(like, (text, told)): (usize, (&String, &Disagreement))| {
            let (what, tollgate, oracle) = (&told.what, &told.tollgate, &told.oracle);
            format!(
                "{text:?} (and {} like it)\n    {what}\n    tollgate: {tollgate}\n    oracle:   {oracle}",
                like - 1
            )
        };
        firsts.into_iter().take(count).map(show).collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} texts: {} agreed, {} refused ({} of them parsed by PostgreSQL), {} other dialect, {} disagreed",
            self.texts, self.agreed, self.refused, self.refused_parsed, self.other_dialect, self.disagreed
        )
    }
}

/// Each text as it is, then what mutations make of them, `count` texts in all.
pub fn run(sources: &[Source], seed: u64, count: u64, progress: impl Fn(u64) + Sync) -> Tally {
    let given: Vec<&str> =
        sources.iter().flat_map(|source| source.texts.iter().map(String::as_str)).collect();
    let next = AtomicU64::new(0);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut tally = Tally::default();
    thread::scope(|scope| {
        let work = || {
            let mut own = Tally::default();
            loop {
                let from = next.fetch_add(PORTION, Ordering::Relaxed);
                if from >= count {
                    return own;
                }
                for number in from..(from + PORTION).min(count) {
                    let own_text = usize::try_from(number).ok().and_then(|number| given.get(number));
                    let text =
                        own_text.map_or_else(|| mutated(sources, seed, number), |text| (*text).to_owned());
                    let outcome = compare(&text);
                    own.count(text, outcome);
                }
                progress((from + PORTION).min(count));
            }
        };
        let threads: Vec<_> = (0..cores)
            .filter_map(|_| thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work).ok())
            .collect();
        for thread in threads {
            match thread.join() {
                Ok(own) => tally.add(own),
                Err(fault) => std::panic::resume_unwind(fault),
            }
        }
    });
    tally
}

/// What differs, without the relation's name; where one is missed, by what the statements are.
fn sort_of(told: &Disagreement) -> (String, String) {
    let Some((_, missed)) = told.what.split_once(" is not named among") else {
        return (told.what.clone(), String::new());
    };
    let classes = |shown: &str| {
        let words = shown.split(" | ").map(|one| one.split(',').next().unwrap_or_default());
        words.collect::<Vec<_>>().join(" ")
    };
    (missed.to_owned(), format!("{} {}", classes(&told.tollgate), classes(&told.oracle)))
}
