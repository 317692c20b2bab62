//! Scenes of several steps, played on one or two sessions of the analyst.

use std::collections::BTreeMap;

use super::place::{World, changed};
use super::talk::{Fate, Saying, fate};
use crate::support::client::Client;
use crate::support::{say, until};

pub struct Scene {
    pub name: String,
    steps: Vec<Line>,
}

struct Line {
    /// Which of the analyst's sessions says it.
    session: u8,
    step: Step,
}

enum Step {
    Query(String),
    /// Frames that are said together at the next `:sync`.
    Parse(String, String),
    Bind(String, String),
    Execute(String, u32),
    Close(u8, String),
    Describe(u8, String),
    Run(String),
    Sync,
    /// A Sync behind which more follows at once.
    More,
    /// A Flush, and so many statements are heard to be complete.
    Flush(usize),
    /// A query whose answer is heard later.
    Send(String),
    Hear,
    Steward(String),
    /// So many sessions wait for a lock.
    Waiting(usize),
    /// The connection is closed, whatever runs.
    Leave,
    /// The same with a goodbye, which is heard out.
    Terminate,
}

impl Scene {
    /// The scenes of a text: a title behind `#`, then a step a line.
    pub fn all(text: &str) -> Vec<Self> {
        let mut scenes: Vec<Self> = Vec::new();
        for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with("//")) {
            match (line.strip_prefix("# "), scenes.last_mut()) {
                (Some(name), _) => scenes.push(Self { name: name.to_owned(), steps: Vec::new() }),
                (None, Some(scene)) => scene.steps.push(Line::read(line)),
                (None, None) => panic!("a step before the first title: {line}"),
            }
        }
        scenes
    }

    /// Each step once, counted by its fate, and the parts of the world that the scene changed.
    pub fn play(&self, world: &mut World, count: &mut impl FnMut(Fate)) -> Vec<String> {
        let mut clients: BTreeMap<u8, Client> = BTreeMap::new();
        let mut said: BTreeMap<u8, Saying> = BTreeMap::new();
        let mut before = world.sum();
        let mut found = Vec::new();
        for line in &self.steps {
            match &line.step {
                Step::Steward(sql) => {
                    let sql = world.place(sql);
                    world.steward(&sql);
                    before = world.sum();
                    continue;
                }
                Step::Waiting(count) => {
                    // One that is refused does not wait.
                    let answered = || clients.values().any(Client::is_answered);
                    until("a session that waits", || answered() || world.waiting() >= *count);
                    continue;
                }
                Step::Flush(count) => {
                    let client = clients.entry(line.session).or_insert_with(|| world.analyst());
                    let saying = said.remove(&line.session).unwrap_or_default();
                    saying.flush().say(client).unwrap();
                    for _ in 0..*count {
                        client.until(b'C').unwrap();
                    }
                    continue;
                }
                Step::Terminate => {
                    if let Some(mut client) = clients.remove(&line.session) {
                        client.send(&say::message(b'X', b"")).unwrap();
                        client.rest();
                    }
                    said.remove(&line.session);
                    continue;
                }
                Step::Leave => {
                    clients.remove(&line.session);
                    said.remove(&line.session);
                    continue;
                }
                _ => {}
            }
            let client = clients.entry(line.session).or_insert_with(|| world.analyst());
            let saying = said.remove(&line.session).unwrap_or_default();
            let (saying, now) = line.step.add(saying, world);
            if !now {
                said.insert(line.session, saying);
                continue;
            }
            let heard = match &line.step {
                Step::Send(_) => {
                    let sent = saying.say(client);
                    said.insert(line.session, saying);
                    if let Err(error) = sent {
                        found.push(format!("not said: {error}"));
                    }
                    continue;
                }
                Step::Hear => saying.hear(client),
                _ => saying.tell(client),
            };
            match heard {
                Ok(frames) => {
                    if std::env::var_os("WORLD_SHOW").is_some() {
                        eprintln!("    {:?} {frames:?}", String::from_utf8_lossy(&saying.bytes));
                    }
                    count(fate(&frames));
                }
                Err(error) => {
                    count(Fate::Refused);
                    found.extend(
                        (error.kind() != std::io::ErrorKind::UnexpectedEof)
                            .then(|| format!("no answer: {error}")),
                    );
                    clients.remove(&line.session);
                }
            }
            found.extend(changed(&before, &world.sum()));
            if !found.is_empty() {
                break;
            }
        }
        found
    }

    /// Whether the scene needs a world of its own making.
    pub fn is_staged(&self) -> bool {
        self.steps.iter().any(|line| matches!(line.step, Step::Steward(_)))
    }
}

impl Line {
    fn read(line: &str) -> Self {
        let (session, rest) = match line.split_once("> ") {
            Some(("2", rest)) => (2, rest),
            Some(("3", rest)) => (3, rest),
            _ => (1, line),
        };
        Self { session, step: Step::read(rest) }
    }
}

impl Step {
    fn read(text: &str) -> Self {
        let Some(rest) = text.strip_prefix(':') else { return Self::Query(text.to_owned()) };
        let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let name = |name: &str| if name == "-" { String::new() } else { name.to_owned() };
        let two = || {
            let (first, second) = rest.split_once(' ').unwrap_or((rest, ""));
            (name(first), name(second))
        };
        match word {
            "parse" => Self::Parse(two().0, two().1),
            "bind" => Self::Bind(two().0, two().1),
            "execute" => Self::Execute(two().0, two().1.parse().unwrap_or_default()),
            "close" => Self::Close(rest.as_bytes()[0], name(&rest[2..])),
            "describe" => Self::Describe(rest.as_bytes()[0], name(&rest[2..])),
            "more" => Self::More,
            "flush" => Self::Flush(rest.parse().unwrap()),
            "run" => Self::Run(rest.to_owned()),
            "sync" => Self::Sync,
            "send" => Self::Send(rest.to_owned()),
            "hear" => Self::Hear,
            "steward" => Self::Steward(rest.to_owned()),
            "waiting" => Self::Waiting(rest.parse().unwrap_or(1)),
            "leave" => Self::Leave,
            "terminate" => Self::Terminate,
            _ => panic!("a step that is not known: {text}"),
        }
    }

    /// What is said with this step, and whether it is said now.
    fn add(&self, saying: Saying, world: &World) -> (Saying, bool) {
        let place = |text: &str| world.place(&text.replace("{63}", &"a".repeat(63)));
        match self {
            Self::Query(sql) => (saying.query(&place(sql)), true),
            Self::Parse(name, sql) => (saying.parse(&place(name), &place(sql)), false),
            Self::Bind(portal, statement) => (saying.bind(&place(portal), &place(statement)), false),
            Self::Execute(portal, rows) => (saying.execute(&place(portal), *rows), false),
            Self::Close(kind, name) => (saying.close(*kind, &place(name)), false),
            Self::Describe(kind, name) => (saying.describe(*kind, &place(name)), false),
            Self::More => (saying.sync(), false),
            Self::Run(sql) => (saying.run(&place(sql)), false),
            Self::Sync => (saying.sync(), true),
            Self::Send(sql) => (saying.query(&place(sql)), true),
            Self::Hear
            | Self::Flush(_)
            | Self::Steward(_)
            | Self::Waiting(_)
            | Self::Leave
            | Self::Terminate => (saying, true),
        }
    }
}
