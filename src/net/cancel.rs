//! CancelRequests: from the key a client holds to the session that is to stop.

use aws_lc_rs::{constant_time, rand};
use dashmap::DashMap;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::policy::{Principal, PrincipalKind};
use crate::wire::startup::Minor;

/// Requests for one session that may wait at once; more are dropped, as they would change nothing.
const WAITING_MAX: usize = 4;
/// What PostgreSQL itself sends by protocol 3.2, which allows 4 to 256.
const LONG_SECRET_BYTES: usize = 32;
/// What every client of protocol 3.0 takes, and no other.
const SHORT_SECRET_BYTES: usize = 4;

/// What a client shows to stop its session; never shown in a log.
type Secret = Box<[u8]>;

struct Target {
    session: Uuid,
    secret: Secret,
    principal: (String, PrincipalKind),
    requests: mpsc::Sender<oneshot::Sender<()>>,
}

/// The open sessions by the process ids of their keys. One id may serve several where the upstream is more
/// than one server.
#[derive(Default)]
pub struct Sessions(DashMap<i32, Vec<Target>>);

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Sessions").field(&self.len()).finish()
    }
}

/// A session's place among [`Sessions`]; taken back by [`Sessions::leave`].
pub struct Place {
    pub process_id: i32,
    /// The rest of BackendKeyData.
    pub secret: Secret,
    pub requests: mpsc::Receiver<oneshot::Sender<()>>,
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place").field("process_id", &self.process_id).finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("no randomness to be had for a cancel key")]
pub struct NoRandomness;

impl Sessions {
    /// A fresh key for `session`, as long as its protocol has it. The process id is the upstream's, so that
    /// what `pg_backend_pid()` says fits it.
    pub fn enter(
        &self,
        session: Uuid,
        principal: &Principal,
        process_id: i32,
        minor: Minor,
    ) -> Result<Place, NoRandomness> {
        let bytes = if minor.has_long_keys() { LONG_SECRET_BYTES } else { SHORT_SECRET_BYTES };
        let mut secret = vec![0; bytes].into_boxed_slice();
        let mut targets = self.0.entry(process_id).or_default();
        loop {
            rand::fill(&mut secret).map_err(|_| NoRandomness)?;
            if !targets.iter().any(|target| target.secret == secret) {
                break;
            }
        }
        let (sender, requests) = mpsc::channel(WAITING_MAX);
        let principal = (principal.name.clone(), principal.kind);
        targets.push(Target { session, secret: secret.clone(), principal, requests: sender });
        Ok(Place { process_id, secret, requests })
    }

    pub fn leave(&self, process_id: i32, session: Uuid) {
        self.0.remove_if_mut(&process_id, |_, targets| {
            targets.retain(|target| target.session != session);
            targets.is_empty()
        });
    }

    /// Whether the warehouse's process of this id serves a session of this principal.
    pub fn owns(&self, principal: &Principal, process_id: i32) -> bool {
        self.0.get(&process_id).is_some_and(|targets| {
            targets.iter().any(|target| {
                let (name, kind) = &target.principal;
                *name == principal.name && *kind == principal.kind
            })
        })
    }

    pub fn len(&self) -> usize {
        self.0.iter().map(|targets| targets.len()).sum()
    }

    /// Asks the session of this key to stop what it runs. The session's id, where the key fits one, and
    /// what to wait for before the client is let go.
    pub fn cancel(&self, process_id: i32, secret: &[u8]) -> Option<(Uuid, oneshot::Receiver<()>)> {
        let targets = self.0.get(&process_id)?;
        // In constant time: how much of a key was guessed must not show in how long the answer takes.
        let fits = |target: &&Target| constant_time::verify_slices_are_equal(&target.secret, secret).is_ok();
        let target = targets.iter().find(fits)?;
        let (asked, through) = oneshot::channel();
        let _ = target.requests.try_send(asked);
        Some((target.session, through))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Auth;

    fn person(name: &str) -> Principal {
        Principal {
            name: name.to_owned(),
            kind: PrincipalKind::Person,
            auth: Auth::Token,
            groups: Vec::new(),
            claims: std::collections::BTreeMap::new(),
            expires_at: None,
        }
    }

    #[test]
    fn a_backend_belongs_to_the_principal_whose_session_it_serves() {
        let sessions = Sessions::default();
        sessions.enter(Uuid::from_u128(1), &person("ana"), 7, Minor::of(0)).unwrap();
        assert!(sessions.owns(&person("ana"), 7));
        assert!(!sessions.owns(&person("bob"), 7));
        assert!(!sessions.owns(&person("ana"), 8));
        assert!(!sessions.owns(&Principal { kind: PrincipalKind::Service, ..person("ana") }, 7));
        sessions.leave(7, Uuid::from_u128(1));
        assert!(!sessions.owns(&person("ana"), 7));
    }

    #[test]
    fn a_key_reaches_its_own_session_alone() {
        let sessions = Sessions::default();
        let (ana, bob) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut place = sessions.enter(ana, &person("ana"), 7, Minor::of(0)).unwrap();
        let other = sessions.enter(bob, &person("bob"), 7, Minor::of(2)).unwrap();
        let (session, _through) = sessions.cancel(7, &place.secret).unwrap();
        assert_eq!(session, ana);
        assert!(place.requests.try_recv().is_ok());
        assert!(sessions.cancel(8, &place.secret).is_none());
        assert!(sessions.cancel(7, b"").is_none());
        sessions.leave(7, bob);
        assert!(sessions.cancel(7, &other.secret).is_none());
    }

    #[test]
    fn a_key_is_as_long_as_its_protocol_has_it_and_fits_whole() {
        let sessions = Sessions::default();
        let short = sessions.enter(Uuid::from_u128(1), &person("ana"), 7, Minor::of(0)).unwrap();
        let long = sessions.enter(Uuid::from_u128(2), &person("ana"), 7, Minor::of(2)).unwrap();
        assert_eq!((short.secret.len(), long.secret.len()), (4, 32));
        assert_ne!(long.secret, vec![0; 32].into());
        let (session, _through) = sessions.cancel(7, &long.secret).unwrap();
        assert_eq!(session, Uuid::from_u128(2));
        for part in [&long.secret[..4], &long.secret[..31], &[&long.secret[..], &[0]].concat(), &[]] {
            assert!(sessions.cancel(7, part).is_none());
        }
        assert_eq!(sessions.len(), 2);
        sessions.leave(7, Uuid::from_u128(2));
        assert!(sessions.cancel(7, &long.secret).is_none() && sessions.cancel(7, &short.secret).is_some());
    }

    #[test]
    fn a_key_does_not_show_its_secret() {
        let sessions = Sessions::default();
        let place = sessions.enter(Uuid::from_u128(1), &person("ana"), 7, Minor::of(0)).unwrap();
        assert_eq!(format!("{place:?}"), "Place { process_id: 7, .. }");
        assert_eq!(format!("{sessions:?}"), "Sessions(1)");
    }
}
