//! CancelRequests: from the key a client holds to the session that is to stop.

use aws_lc_rs::rand;
use dashmap::DashMap;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::policy::{Principal, PrincipalKind};

/// Requests for one session that may wait at once; more are dropped, as they would change nothing.
const WAITING_MAX: usize = 4;

/// The key of one session, as its client holds it (BackendKeyData).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientKey {
    pub process_id: i32,
    pub secret: [u8; 4],
}

impl std::fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientKey").field("process_id", &self.process_id).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Target {
    session: Uuid,
    principal: (String, PrincipalKind),
    requests: mpsc::Sender<oneshot::Sender<()>>,
}

/// The open sessions by their keys.
#[derive(Debug, Default)]
pub struct Sessions(DashMap<ClientKey, Target>);

/// A session's place among [`Sessions`]; taken back by [`Sessions::leave`].
#[derive(Debug)]
pub struct Place {
    pub key: ClientKey,
    pub requests: mpsc::Receiver<oneshot::Sender<()>>,
}

#[derive(Debug, thiserror::Error)]
#[error("no randomness to be had for a cancel key")]
pub struct NoRandomness;

impl Sessions {
    /// A fresh key for `session`. The process id is the upstream's, so that what `pg_backend_pid()`
    /// says fits it.
    pub fn enter(
        &self,
        session: Uuid,
        principal: &Principal,
        process_id: i32,
    ) -> Result<Place, NoRandomness> {
        loop {
            let mut secret = [0; 4];
            rand::fill(&mut secret).map_err(|_| NoRandomness)?;
            let key = ClientKey { process_id, secret };
            if let dashmap::Entry::Vacant(vacant) = self.0.entry(key) {
                let (sender, requests) = mpsc::channel(WAITING_MAX);
                let principal = (principal.name.clone(), principal.kind);
                vacant.insert(Target { session, principal, requests: sender });
                return Ok(Place { key, requests });
            }
        }
    }

    pub fn leave(&self, key: ClientKey) {
        self.0.remove(&key);
    }

    /// Whether the warehouse's process of this id serves a session of this principal.
    pub fn owns(&self, principal: &Principal, process_id: i32) -> bool {
        self.0.iter().any(|session| {
            let (name, kind) = &session.value().principal;
            session.key().process_id == process_id && *name == principal.name && *kind == principal.kind
        })
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Asks the session of this key to stop what it runs. The session's id, where the key fits one, and
    /// what to wait for before the client is let go.
    pub fn cancel(&self, process_id: i32, secret: &[u8]) -> Option<(Uuid, oneshot::Receiver<()>)> {
        let key = ClientKey { process_id, secret: secret.try_into().ok()? };
        let target = self.0.get(&key)?;
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
        let place = sessions.enter(Uuid::from_u128(1), &person("ana"), 7).unwrap();
        assert!(sessions.owns(&person("ana"), 7));
        assert!(!sessions.owns(&person("bob"), 7));
        assert!(!sessions.owns(&person("ana"), 8));
        assert!(!sessions.owns(&Principal { kind: PrincipalKind::Service, ..person("ana") }, 7));
        sessions.leave(place.key);
        assert!(!sessions.owns(&person("ana"), 7));
    }

    #[test]
    fn a_key_reaches_its_own_session_alone() {
        let sessions = Sessions::default();
        let (ana, bob) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut place = sessions.enter(ana, &person("ana"), 7).unwrap();
        let other = sessions.enter(bob, &person("bob"), 7).unwrap();
        let (session, _through) = sessions.cancel(7, &place.key.secret).unwrap();
        assert_eq!(session, ana);
        assert!(place.requests.try_recv().is_ok());
        assert!(sessions.cancel(8, &place.key.secret).is_none());
        assert!(sessions.cancel(7, b"").is_none());
        sessions.leave(other.key);
        assert!(sessions.cancel(7, &other.key.secret).is_none());
    }

    #[test]
    fn a_key_does_not_show_its_secret() {
        let sessions = Sessions::default();
        let place = sessions.enter(Uuid::from_u128(1), &person("ana"), 7).unwrap();
        assert_eq!(format!("{:?}", place.key), "ClientKey { process_id: 7, .. }");
    }
}
