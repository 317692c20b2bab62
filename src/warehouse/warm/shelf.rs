//! Which sessions wait for whom, and whether another is worth opening. Without IO.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::Wish;
use super::waiting::Give;
use crate::config::WarmConfig;

/// Wishes that are remembered beside those that sessions wait for.
const REMEMBERED_MAX: usize = 64;
/// The wait after a first failure; it doubles with each that follows.
const BACK_OFF: Duration = Duration::from_secs(1);
const BACK_OFF_MAX: Duration = Duration::from_secs(60);

/// One kind of session, as it was asked for.
#[derive(Debug)]
struct Known {
    wish: Wish,
    asked: Instant,
    /// It came more than once within the time a session waits.
    recurs: bool,
    /// The oldest first, so that none grows old beside younger ones.
    waiting: VecDeque<(u64, Give)>,
    opening: usize,
    failures: u32,
    not_before: Option<Instant>,
}

/// A session that is being opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening {
    pub id: u64,
    generation: u64,
}

#[derive(Debug, Default)]
pub(super) struct Shelf {
    known: Vec<Known>,
    last_id: u64,
    /// Counts [`Shelf::forget`]: what was begun before is not kept.
    generation: u64,
    closed: bool,
}

impl Shelf {
    /// Sessions that wait.
    pub fn len(&self) -> usize {
        self.known.iter().map(|known| known.waiting.len()).sum()
    }

    /// Remembers that `wish` was asked for.
    pub fn ask(&mut self, wish: &Wish, now: Instant, config: WarmConfig) {
        let is_recent = |known: &Known| now.duration_since(known.asked) < config.age;
        if let Some(known) = self.find(wish) {
            known.recurs = is_recent(known);
            known.asked = now;
            return;
        }
        self.known.retain(|known| is_recent(known) || !known.waiting.is_empty() || known.opening > 0);
        if self.known.len() >= config.sessions.saturating_add(REMEMBERED_MAX) {
            let idle = self.known.iter().enumerate().filter(|(_, k)| k.waiting.is_empty() && k.opening == 0);
            let oldest = idle.min_by_key(|(_, known)| known.asked).map(|(at, _)| at);
            match oldest {
                Some(at) => drop(self.known.swap_remove(at)),
                None => return,
            }
        }
        self.known.push(Known {
            wish: wish.clone(),
            asked: now,
            recurs: false,
            waiting: VecDeque::new(),
            opening: 0,
            failures: 0,
            not_before: None,
        });
    }

    pub fn take(&mut self, wish: &Wish) -> Option<Give> {
        self.find(wish)?.waiting.pop_front().map(|(_, give)| give)
    }

    /// Room for one more session for `wish`, if it is worth one. Wishes that recur share the places.
    pub fn open(&mut self, wish: &Wish, now: Instant, config: WarmConfig) -> Option<Opening> {
        let held: usize = self.known.iter().map(|known| known.waiting.len() + known.opening).sum();
        if self.closed || held >= config.sessions {
            return None;
        }
        let recent = |known: &&Known| known.recurs && now.duration_since(known.asked) < config.age;
        let recurring = self.known.iter().filter(recent).count();
        let share = config.sessions.checked_div(recurring).unwrap_or_default().max(1);
        let (id, generation) = (self.last_id + 1, self.generation);
        let known = self.find(wish)?;
        let resting = known.not_before.is_some_and(|until| now < until);
        if !known.recurs || resting || known.waiting.len() + known.opening >= share {
            return None;
        }
        known.opening += 1;
        self.last_id = id;
        Some(Opening { id, generation })
    }

    /// The end of an opening. False where the session is not wanted any more.
    pub fn opened(&mut self, wish: &Wish, opening: Opening, well: bool, give: Give, now: Instant) -> bool {
        let wanted = !self.closed && opening.generation == self.generation;
        let Some(known) = self.find(wish) else { return false };
        known.opening = known.opening.saturating_sub(1);
        if !well {
            known.not_before = now.checked_add(back_off(known.failures));
            known.failures = known.failures.saturating_add(1);
            return false;
        }
        known.failures = 0;
        known.not_before = None;
        if wanted {
            known.waiting.push_back((opening.id, give));
        }
        wanted
    }

    pub fn gone(&mut self, wish: &Wish, id: u64) {
        if let Some(known) = self.find(wish) {
            known.waiting.retain(|(waiting, _)| *waiting != id);
        }
    }

    /// Lets go of every session that waits. True where there was any.
    pub fn forget(&mut self) -> bool {
        self.generation += 1;
        let any = self.len() > 0;
        for known in &mut self.known {
            known.waiting.clear();
        }
        any
    }

    pub fn close(&mut self) {
        self.closed = true;
    }

    fn find(&mut self, wish: &Wish) -> Option<&mut Known> {
        self.known.iter_mut().find(|known| known.wish == *wish)
    }
}

fn back_off(failures: u32) -> Duration {
    BACK_OFF.saturating_mul(2_u32.saturating_pow(failures)).min(BACK_OFF_MAX)
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;
    use crate::config::{Secret, UpstreamLogin};
    use crate::policy::Subject;

    const CONFIG: WarmConfig = WarmConfig { sessions: 4, age: Duration::from_secs(60) };

    fn wish(whose: &str) -> Wish {
        let login =
            UpstreamLogin { subject: Subject::Everyone, user: "u".to_owned(), password: Secret::new("p") };
        Wish { whose: whose.to_owned(), login, parameters: vec![("search_path".to_owned(), "x".to_owned())] }
    }

    /// Opens as many as it may; how many that were.
    fn fill(shelf: &mut Shelf, wish: &Wish, now: Instant) -> usize {
        let mut count = 0;
        while let Some(opening) = shelf.open(wish, now, CONFIG) {
            count += usize::from(shelf.opened(wish, opening, true, oneshot::channel().0, now));
        }
        count
    }

    #[test]
    fn only_what_recurs_is_opened_ahead() {
        let (mut shelf, now) = (Shelf::default(), Instant::now());
        shelf.ask(&wish("ana"), now, CONFIG);
        assert_eq!(fill(&mut shelf, &wish("ana"), now), 0);
        let later = now + CONFIG.age;
        shelf.ask(&wish("ana"), later, CONFIG);
        assert_eq!(fill(&mut shelf, &wish("ana"), later), 0);
        shelf.ask(&wish("ana"), later, CONFIG);
        assert_eq!(fill(&mut shelf, &wish("ana"), later), 4);
    }

    #[test]
    fn a_session_is_handed_out_once_and_to_an_equal_wish_alone() {
        let (mut shelf, now) = (Shelf::default(), Instant::now());
        for _ in 0..2 {
            shelf.ask(&wish("ana"), now, CONFIG);
        }
        let opening = shelf.open(&wish("ana"), now, CONFIG).unwrap();
        assert!(shelf.opened(&wish("ana"), opening, true, oneshot::channel().0, now));
        let mut other = wish("ana");
        other.parameters[0].1.push('y');
        let mut foreign = wish("ana");
        foreign.login.user.push('y');
        let mut changed = wish("ana");
        changed.login.password = Secret::new("other");
        for unequal in [wish("bob"), other, foreign, changed] {
            assert!(shelf.take(&unequal).is_none(), "{unequal:?}");
        }
        assert!(shelf.take(&wish("ana")).is_some());
        assert!(shelf.take(&wish("ana")).is_none());
    }

    #[test]
    fn wishes_that_recur_share_the_places() {
        let (mut shelf, now) = (Shelf::default(), Instant::now());
        for whose in ["ana", "bob", "ana", "bob"] {
            shelf.ask(&wish(whose), now, CONFIG);
        }
        assert_eq!(fill(&mut shelf, &wish("ana"), now), 2);
        assert_eq!(fill(&mut shelf, &wish("bob"), now), 2);
        for n in 0..10 {
            let whose = n.to_string();
            shelf.ask(&wish(&whose), now, CONFIG);
            shelf.ask(&wish(&whose), now, CONFIG);
            assert_eq!(fill(&mut shelf, &wish(&whose), now), 0);
        }
        assert_eq!(shelf.len(), 4);
    }

    #[test]
    fn a_bounded_number_of_wishes_is_remembered() {
        let (mut shelf, now) = (Shelf::default(), Instant::now());
        for n in 0..1000 {
            shelf.ask(&wish(&n.to_string()), now, CONFIG);
        }
        assert_eq!(shelf.known.len(), CONFIG.sessions + REMEMBERED_MAX);
        assert!(shelf.find(&wish("999")).is_some());
        shelf.ask(&wish("ana"), now + CONFIG.age, CONFIG);
        assert_eq!(shelf.known.len(), 1);
    }

    #[test]
    fn failures_are_followed_by_longer_rests() {
        let (mut shelf, mut now) = (Shelf::default(), Instant::now());
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            shelf.ask(&wish("ana"), now, CONFIG);
            shelf.ask(&wish("ana"), now, CONFIG);
            let opening = shelf.open(&wish("ana"), now, CONFIG).unwrap();
            assert!(!shelf.opened(&wish("ana"), opening, false, oneshot::channel().0, now));
            assert!(shelf.open(&wish("ana"), now, CONFIG).is_none());
            now += Duration::from_secs(seconds);
        }
    }

    #[test]
    fn what_is_forgotten_while_it_opens_is_not_kept() {
        let (mut shelf, now) = (Shelf::default(), Instant::now());
        for _ in 0..2 {
            shelf.ask(&wish("ana"), now, CONFIG);
        }
        let opening = shelf.open(&wish("ana"), now, CONFIG).unwrap();
        assert!(!shelf.forget());
        assert!(!shelf.opened(&wish("ana"), opening, true, oneshot::channel().0, now));
        assert_eq!(fill(&mut shelf, &wish("ana"), now), 4);
        assert!(shelf.forget());
        assert!(shelf.take(&wish("ana")).is_none());
        shelf.close();
        assert_eq!(fill(&mut shelf, &wish("ana"), now), 0);
    }
}
