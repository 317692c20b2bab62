//! The six statements that the demo prints and `demo --check` plays.

/// The most rows a result holds in the demo; stands in the demo's company rules too.
pub const ROWS_MAX: u64 = 1000;

/// As whom a statement is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    Redash,
    /// A person with a signed token, of the group `orders-analysts`.
    Ana,
}

/// What becomes of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// It runs, and this many rows are returned or written.
    Runs { rows: u64 },
    /// It runs; the result ends after this many rows, with a notice.
    Cut { rows: u64 },
    /// It is refused.
    Refused { sqlstate: &'static str, message: &'static str },
}

#[derive(Debug, Clone, Copy)]
pub struct Example {
    pub title: &'static str,
    pub sender: Sender,
    /// Sent before, so that a second run does the same.
    pub before: Option<&'static str>,
    pub sql: &'static str,
    pub expected: Expected,
    /// For the reader of the printed instructions.
    pub outcome: &'static str,
}

pub const EXAMPLES: [Example; 6] = [
    Example {
        title: "read",
        sender: Sender::Redash,
        before: None,
        sql: "SELECT status, count(*) FROM orders.orders GROUP BY 1",
        expected: Expected::Runs { rows: 4 },
        outcome: "runs: reads of official schemas are allowed",
    },
    Example {
        title: "official write",
        sender: Sender::Ana,
        before: None,
        sql: "INSERT INTO orders.daily VALUES (DATE '2026-01-01', 1, 9.99)",
        expected: Expected::Refused {
            sqlstate: "42501",
            message: "tollgate: writing to official schema \"orders\" is not allowed (INSERT INTO orders.daily)",
        },
        outcome: "is refused: only the stewards of orders write there",
    },
    Example {
        title: "sandbox write",
        sender: Sender::Ana,
        before: Some("DROP TABLE IF EXISTS sandbox_orders.my_first"),
        sql: "CREATE TABLE sandbox_orders.my_first AS SELECT * FROM orders.orders LIMIT 10",
        expected: Expected::Runs { rows: 10 },
        outcome: "runs: the sandbox is free for its team",
    },
    Example {
        title: "row cap",
        sender: Sender::Redash,
        before: None,
        sql: "SELECT * FROM orders.order_lines",
        expected: Expected::Cut { rows: ROWS_MAX },
        outcome: "ends after 1000 rows, with a notice",
    },
    Example {
        title: "cost cap",
        sender: Sender::Redash,
        before: None,
        sql: "SELECT count(*) FROM orders.order_lines a CROSS JOIN orders.order_lines b",
        expected: Expected::Refused { sqlstate: "54000", message: "tollgate: " },
        outcome: "is refused before it runs: its estimated cost is over the cap",
    },
    Example {
        title: "unknown statement",
        sender: Sender::Redash,
        before: None,
        sql: "GRUNT SELECT ON orders.orders TO PUBLIC",
        expected: Expected::Refused { sqlstate: "42501", message: "tollgate: " },
        outcome: "is refused: what is not understood does not pass",
    },
];
