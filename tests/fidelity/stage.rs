//! Two ends that should be alike: the server itself and the gate before it.

use crate::support::client::{Client, Frame};
use crate::support::{Gate, House, PASSWORD, say};

pub struct Stage {
    pub house: House,
    pub gate: Gate,
}

impl Stage {
    /// Rules under which the steward may do whatever is played, and the default bounds.
    pub fn build() -> Self {
        let house = House::build();
        let rewrite = |path: &str, from: &str, to: &str| {
            let path = house.dir.path().join(path);
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.contains(from), "{from}");
            std::fs::write(path, text.replace(from, to)).unwrap();
        };
        rewrite("rules/domains/orders.yaml", "official: [orders]", "official: [orders, public]");
        rewrite(
            "tollgate.yaml",
            "handshake: 1s, drain: 20s, message_bytes_max: 1MiB, statement_bytes_max: 64KiB",
            "drain: 20s",
        );
        rewrite(
            "rules/company.yaml",
            "posture:",
            "functions: { allow: [pg_sleep, pg_notify] }\nsession: { allow: [listen, notify, unlisten, intervalstyle] }\nposture:",
        );
        house.warehouse("dev", "CREATE TABLE sandbox_orders.locked (a int)");
        let gate = house.gate();
        Self { house, gate }
    }

    fn ends(&self) -> [End<'_>; 2] {
        let postgres = &self.house.postgres;
        let direct = (postgres.port(), postgres.superuser(), postgres.password().expose());
        [direct, (self.gate.address.port(), "steward", PASSWORD)].map(|(port, user, password)| End {
            port,
            user,
            password,
        })
    }

    pub fn direct(&self) -> End<'_> {
        let [direct, _] = self.ends();
        direct
    }

    pub fn through(&self) -> End<'_> {
        let [_, through] = self.ends();
        through
    }

    /// Plays a scene at both ends; what it tells is the same.
    #[track_caller]
    pub fn alike<T: PartialEq + std::fmt::Debug>(&self, name: &str, scene: impl Fn(&End<'_>) -> T) {
        let [expected, seen] = self.ends().map(|end| scene(&end));
        assert_eq!(seen, expected, "{name}: through the gate, and directly");
    }

    /// Waits until the server's process is in this state of `pg_stat_activity`.
    #[track_caller]
    pub fn until(&self, client: &Client, state: &str) {
        let asked = format!("SELECT 1 FROM pg_stat_activity WHERE pid = {} AND {state}", process_id(client));
        let mut watcher = self.direct().client();
        let told = format!("`{state}`");
        crate::support::until(&told, || watcher.query(&asked).unwrap().iter().any(|frame| frame.tag == b'D'));
    }

    /// Ends a server's process as an operator would.
    pub fn terminate(&self, client: &Client) {
        let asked = format!("SELECT pg_terminate_backend({})", process_id(client));
        assert_eq!(self.direct().client().value(&asked), "t");
    }
}

#[derive(Clone, Copy)]
pub struct End<'a> {
    pub port: u16,
    pub user: &'a str,
    pub password: &'a str,
}

impl End<'_> {
    pub fn client(&self) -> Client {
        Client::log_in(self.port, self.user, self.password, "dev").unwrap()
    }

    /// Asks for a stop with this key (the body of BackendKeyData), and is let go.
    pub fn cancel(&self, key: &[u8]) {
        let mut asking = Client::connect(self.port).unwrap();
        asking.send(&say::cancel(key)).unwrap();
        asking.rest();
    }
}

pub fn process_id(client: &Client) -> i32 {
    i32::from_be_bytes(client.key[..4].try_into().unwrap())
}

/// Everything up to the connection's end, as frames.
pub fn rest(client: &mut Client) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Ok(Some(frame)) = client.frame() {
        frames.push(frame);
    }
    frames
}
