//! Sessions opened upstream ahead of need.
//!
//! Each is fresh from its login, was used by nobody, and is handed out once: to the principal for whom it
//! was opened, for a session that begins with exactly the same parameters. What to open is learned: a wish
//! that comes a second time is worth a session ahead. Nothing is opened without being asked for, so that a
//! process nobody uses holds none after a while, and a warehouse in trouble is left alone.

mod shelf;
mod waiting;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::time::Instant;

use self::shelf::Shelf;
use self::waiting::{Give, Waiting};
use super::connect::Reach;
use super::login::LoggedIn;
use crate::config::{UpstreamLogin, WarmConfig};

/// What a session is opened for and with. A session that waits fits only a wish that is equal in all.
#[derive(Debug, Clone)]
pub struct Wish {
    pub whose: String,
    pub login: UpstreamLogin,
    pub parameters: Vec<(String, String)>,
}

impl PartialEq for Wish {
    fn eq(&self, other: &Self) -> bool {
        self.whose == other.whose
            && self.login.user == other.login.user
            && self.login.password == other.login.password
            && self.parameters == other.parameters
    }
}

/// The sessions that wait and the wishes they are for.
#[derive(Debug)]
pub(super) struct Warm {
    config: WarmConfig,
    shelf: Mutex<Shelf>,
}

impl Warm {
    pub fn of(config: WarmConfig) -> Self {
        Self { config, shelf: Mutex::default() }
    }

    pub const fn is_off(&self) -> bool {
        self.config.sessions == 0
    }

    /// A session that waits for `wish`. One that has ended meanwhile is passed over.
    pub async fn take(&self, wish: &Wish) -> Option<LoggedIn> {
        let mut first = true;
        loop {
            let give = {
                let mut shelf = self.shelf();
                if std::mem::take(&mut first) {
                    shelf.ask(wish, Instant::now(), self.config);
                }
                let give = shelf.take(wish);
                crate::telemetry::warm_sessions(shelf.len());
                give?
            };
            let (taker, taken) = oneshot::channel();
            if give.send(taker).is_ok()
                && let Ok(mut session) = taken.await
                && session.stream.move_here().is_ok()
            {
                return Some(session);
            }
        }
    }

    /// Opens another session for `wish` where one more is worth it and has room.
    pub fn refill(self: &Arc<Self>, wish: &Wish, reach: &Arc<Reach>) {
        let Some(opening) = self.shelf().open(wish, Instant::now(), self.config) else { return };
        let (warm, reach, wish) = (Arc::clone(self), Arc::clone(reach), wish.clone());
        tokio::spawn(async move {
            let outcome = reach.login(&wish.login, &wish.parameters).await;
            let opened = outcome.and_then(Waiting::of);
            let (give, given) = oneshot::channel();
            let kept = warm.opened(&wish, opening, opened.is_ok(), give);
            match opened {
                Ok(waiting) if kept => waiting.wait(given, warm.config.age).await,
                Ok(waiting) => waiting.goodbye().await,
                Err(fault) => return tracing::info!(%fault, "no session could be opened ahead of need"),
            }
            warm.gone(&wish, opening.id);
        });
    }

    /// Ends every session that waits; those being opened end when they are. True where any waited.
    pub fn forget(&self) -> bool {
        let mut shelf = self.shelf();
        crate::telemetry::warm_sessions(0);
        shelf.forget()
    }

    /// The same, and none is opened any more.
    pub fn close(&self) {
        let mut shelf = self.shelf();
        shelf.close();
        shelf.forget();
    }

    fn opened(&self, wish: &Wish, opening: shelf::Opening, well: bool, give: Give) -> bool {
        let mut shelf = self.shelf();
        let kept = shelf.opened(wish, opening, well, give, Instant::now());
        crate::telemetry::warm_sessions(shelf.len());
        kept
    }

    fn gone(&self, wish: &Wish, id: u64) {
        let mut shelf = self.shelf();
        shelf.gone(wish, id);
        crate::telemetry::warm_sessions(shelf.len());
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
