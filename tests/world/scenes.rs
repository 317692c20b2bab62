//! Scenes of several steps, played on one or two sessions of the analyst.

use std::collections::BTreeMap;
use std::io;

use super::place::{World, changed};
use super::talk::{Fate, Saying, fate};
use crate::support::client::{Client, Frame};
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
        let mut stage = Stage::new(world);
        for line in &self.steps {
            if let Some(heard) = stage.take(line) {
                count(stage.weigh(line.session, heard));
            }
            if !stage.found.is_empty() {
                break;
            }
        }
        stage.end()
    }

    /// Whether the scene needs a world of its own making.
    pub fn is_staged(&self) -> bool {
        self.steps.iter().any(|line| matches!(line.step, Step::Steward(_)))
    }
}

/// A scene on its way.
struct Stage<'a> {
    world: &'a mut World,
    clients: BTreeMap<u8, Client>,
    /// What is not said yet, or not yet heard.
    said: BTreeMap<u8, Saying>,
    before: String,
    found: Vec<String>,
}

impl<'a> Stage<'a> {
    fn new(world: &'a mut World) -> Self {
        let before = world.sum();
        Self { world, clients: BTreeMap::new(), said: BTreeMap::new(), before, found: Vec::new() }
    }

    /// Takes one step; what was heard, where the step hears something.
    fn take(&mut self, line: &Line) -> Option<io::Result<Vec<Frame>>> {
        let session = line.session;
        match &line.step {
            Step::Steward(sql) => {
                let sql = self.world.place(sql);
                self.world.steward(&sql);
                self.before = self.world.sum();
                return None;
            }
            Step::Waiting(count) => {
                // One that is refused does not wait.
                let answered = || self.clients.values().any(Client::is_answered);
                until("a session that waits", || answered() || self.world.waiting() >= *count);
                return None;
            }
            Step::Terminate | Step::Leave => {
                let mut client = self.clients.remove(&session)?;
                self.said.remove(&session);
                if matches!(line.step, Step::Terminate) {
                    client.send(&say::message(b'X', b"")).unwrap();
                    client.rest();
                }
                return None;
            }
            _ => {}
        }
        let client = self.clients.entry(session).or_insert_with(|| self.world.analyst());
        let (saying, now) = line.step.add(self.said.remove(&session).unwrap_or_default(), self.world);
        match &line.step {
            Step::Flush(count) => {
                saying.flush().say(client).unwrap();
                for _ in 0..*count {
                    client.until(b'C').unwrap();
                }
                None
            }
            Step::Send(_) => {
                saying.say(client).unwrap();
                self.said.insert(session, saying);
                None
            }
            Step::Hear => Some(saying.hear(client)),
            _ if now => Some(saying.tell(client)),
            _ => {
                self.said.insert(session, saying);
                None
            }
        }
    }

    /// What became of a step, and of the world.
    fn weigh(&mut self, session: u8, heard: io::Result<Vec<Frame>>) -> Fate {
        if std::env::var_os("WORLD_SHOW").is_some() {
            eprintln!("    {heard:?}");
        }
        let fate = match heard {
            Ok(frames) => fate(&frames),
            Err(error) => {
                if error.kind() != io::ErrorKind::UnexpectedEof {
                    self.found.push(format!("no answer: {error}"));
                }
                self.clients.remove(&session);
                Fate::Refused
            }
        };
        self.found.extend(changed(&self.before, &self.world.sum()));
        fate
    }

    /// What was found, also of what sessions that have left did afterwards.
    fn end(mut self) -> Vec<String> {
        self.clients.clear();
        if self.found.is_empty() {
            self.world.settle();
            self.found.extend(changed(&self.before, &self.world.sum()));
        }
        self.found
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
