//! A long stream of hostile statements: templates, targets, wrappers, dresses and ways, drawn by a seeded generator.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use super::place::{World, changed};
use super::talk::{Fate, Saying, fate};
use crate::support::client::Client;

/// Told in a text file: a kind in square brackets, then one entry a line.
pub fn kinds(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut kinds: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut kind = String::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with("//")) {
        match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            Some(name) => name.clone_into(&mut kind),
            None => kinds.entry(kind.clone()).or_default().push(line.to_owned()),
        }
    }
    kinds
}

/// How a statement is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Simple,
    Extended,
    Pipelined,
    WithoutSync,
    InPieces,
    InBlock,
    BehindSavepoint,
    BehindFailure,
    Prepared,
    OneByOne,
}

const WAYS: [Way; 12] = [
    Way::Simple,
    Way::Simple,
    Way::Simple,
    Way::Extended,
    Way::Pipelined,
    Way::WithoutSync,
    Way::InPieces,
    Way::InBlock,
    Way::BehindSavepoint,
    Way::BehindFailure,
    Way::Prepared,
    Way::OneByOne,
];

#[derive(Debug, Clone)]
pub struct Hostile {
    pub text: String,
    way: Way,
}

/// SplitMix64: the same stream for the same seed, everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// What the stream is drawn from.
pub struct Source {
    pub templates: BTreeMap<String, Vec<String>>,
    pub targets: BTreeMap<String, Vec<String>>,
    pub wrappers: BTreeMap<String, Vec<String>>,
}

impl Source {
    /// Every template in turn, again and again, each time with other targets and another guise.
    pub fn draw(&self, seed: u64, count: usize) -> Vec<Hostile> {
        let mut dice = Dice(seed);
        let templates: Vec<(&String, &String)> =
            self.templates.iter().flat_map(|(kind, all)| all.iter().map(move |one| (kind, one))).collect();
        (0..count)
            .map(|n| {
                let (kind, template) = templates[n % templates.len()];
                let mut text = template.clone();
                for (name, spellings) in &self.targets {
                    let place = format!("{{{name}}}");
                    if text.contains(&place) {
                        text = text.replace(&place, dice.of::<String>(spellings));
                    }
                }
                let around = if kind == "change" && dice.below(2) == 0 { "change" } else { "any" };
                let wrapped = dice.of::<String>(&self.wrappers[around]).replace("{}", &text);
                Hostile { text: dressed(&wrapped, dice.below(9)), way: *dice.of(&WAYS) }
            })
            .collect()
    }
}

/// The same statement with other blanks or other letters, where that changes nothing that is quoted.
fn dressed(text: &str, dress: usize) -> String {
    let blank = match dress {
        0 => "/**/",
        1 => "␊",
        2 => "␌\t",
        3 => " --x␊",
        4 if !text.contains(['\'', '"', '$', '{']) => return text.to_uppercase(),
        _ => return text.to_owned(),
    };
    let mut quote = None;
    let mut out = String::with_capacity(text.len() * 2);
    for c in text.chars() {
        match (c, quote) {
            ('$', None) => return text.to_owned(),
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (' ', None) => {
                out.push_str(blank);
                continue;
            }
            _ => {}
        }
        out.push(c);
    }
    out
}

impl Hostile {
    /// A text said in each way there is.
    pub fn every_way(text: &str) -> Vec<Self> {
        let ways = WAYS.iter().skip(2);
        ways.map(|way| Self { text: text.trim_end().to_owned(), way: *way }).collect()
    }

    fn sayings(&self, text: &str) -> Vec<Saying> {
        let new = Saying::default;
        match self.way {
            Way::Simple => vec![new().query(text)],
            Way::Extended => vec![new().run(text).sync()],
            Way::Pipelined => vec![new().run("SELECT 1").run(text).run("SELECT 2").sync()],
            Way::WithoutSync => vec![new().run(text).query("SELECT 1").sync().unsure()],
            Way::InPieces => vec![
                new().query("BEGIN"),
                new().parse("h", text).bind("p", "h").execute("p", 1).sync(),
                new().execute("p", 1).execute("p", 0).close(b'S', "h").sync(),
                new().close(b'S', "h").sync(),
            ],
            Way::InBlock => vec![new().query("BEGIN"), new().run(text).sync()],
            Way::BehindSavepoint => vec![
                new().query("BEGIN; SAVEPOINT s; SET LOCAL search_path TO sandbox_orders"),
                new().query("ROLLBACK TO s"),
                new().query(text),
            ],
            Way::BehindFailure => vec![
                new().query("BEGIN; SAVEPOINT s"),
                new().run("SELECT 1/0").sync(),
                new().query("ROLLBACK TO s"),
                new().run(text).sync(),
            ],
            Way::Prepared => vec![
                new().parse("h", text).sync(),
                new().query("EXECUTE h"),
                new().bind("", "h").execute("", 0).sync(),
                new().close(b'S', "h").sync(),
            ],
            Way::OneByOne => text.split("; ").map(|part| new().query(part)).collect(),
        }
    }

    /// Says it, and ends what it has begun so that all can see what it did.
    pub fn tell(&self, world: &World, client: &mut Client) -> std::io::Result<Fate> {
        let mut refused = false;
        let mut status = b'I';
        for saying in self.sayings(&world.place(&self.text)) {
            let frames = saying.tell(client)?;
            refused |= fate(&frames) == Fate::Refused;
            status = frames.last().and_then(|frame| frame.body.first().copied()).unwrap_or(b'I');
        }
        if status != b'I' {
            Saying::default().query(if status == b'T' { "COMMIT" } else { "ROLLBACK" }).tell(client)?;
        }
        Ok(if refused { Fate::Refused } else { Fate::Ran })
    }
}

/// Statements said one after another on one session, judged together, and one at a time where the world changed.
pub fn play(world: &mut World, group: &[Hostile], count: &mut impl FnMut(Fate)) -> Vec<String> {
    world.tidy();
    let before = world.sum();
    let mut found = Vec::new();
    let mut client = world.analyst();
    for hostile in group {
        match hostile.tell(world, &mut client) {
            Ok(fate) => count(fate),
            Err(error) => {
                count(Fate::Refused);
                if error.kind() != ErrorKind::UnexpectedEof {
                    found.push(format!("no answer to {hostile:?}: {error}"));
                }
                client = world.analyst();
            }
        }
    }
    let parts = changed(&before, &world.sum());
    if !parts.is_empty() {
        found.extend(culprits(world, group, &parts));
    }
    found
}

/// The same again from the same beginning, to tell which of them it was.
fn culprits(world: &mut World, group: &[Hostile], parts: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let mut begun = None;
    for hostile in group {
        let (mut client, before) = begun.take().unwrap_or_else(|| {
            world.restore();
            world.tidy();
            (world.analyst(), world.sum())
        });
        if hostile.tell(world, &mut client).is_err() {
            client = world.analyst();
        }
        let parts = changed(&before, &world.sum());
        if parts.is_empty() {
            begun = Some((client, before));
        } else {
            found.push(format!("{:?} `{}`: {}", hostile.way, hostile.text, parts.join(", ")));
        }
    }
    world.restore();
    if found.is_empty() {
        let texts: Vec<&str> = group.iter().map(|hostile| hostile.text.as_str()).collect();
        found.push(format!("one of {}: {}", texts.join("\n  "), parts.join(", ")));
    }
    found
}
