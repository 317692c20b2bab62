//! Asks both opinions of many texts and tells where they differ.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use tollgate_oracle::compare;
use tollgate_oracle::opinion::{Reading, opinions};
use tollgate_oracle::run::{Tally, run};
use tollgate_oracle::texts::{Generated, Source, corpora, corpora_folder, generated, own};

/// PostgreSQL's parser as a second opinion on what Tollgate understands.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many texts to ask of.
    #[arg(long, default_value_t = 200_000)]
    texts: u64,
    /// Another seed makes other texts.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many queries sqlsmith makes up.
    #[arg(long, default_value_t = 3_000)]
    queries: usize,
    /// Where lists of texts are left.
    #[arg(long, default_value = "target/oracle")]
    out: PathBuf,
    /// How many disagreements are told.
    #[arg(long, default_value_t = 20)]
    shown: usize,
    /// Ask of this one text and tell both opinions.
    #[arg(long)]
    text: Option<String>,
}

fn main() -> ExitCode {
    // Texts on which the binding gives up are told by their count alone.
    std::panic::set_hook(Box::new(|_| {}));
    let arguments = Arguments::parse();
    if let Some(text) = &arguments.text {
        println!(
            "{:#?}\n{:#?}\n{:#?}",
            compare::compare(text),
            compare::tollgate(text),
            opinions(text, Reading::Standard)
        );
        return ExitCode::SUCCESS;
    }
    let sources = sources(&arguments);
    for source in &sources {
        if let Err(error) = coverage(source, &arguments.out) {
            eprintln!("oracle: cannot write to {}: {error}", arguments.out.display());
        }
    }
    let started = Instant::now();
    let tally = run(&sources, arguments.seed, arguments.texts, |done| {
        if done % 25_600 == 0 {
            println!("oracle: {done} of {} texts, {} s", arguments.texts, started.elapsed().as_secs());
        }
    });
    report(&tally, &arguments)
}

fn sources(arguments: &Arguments) -> Vec<Source> {
    let folder = corpora_folder();
    let mut sources = corpora(&folder);
    if sources.is_empty() {
        println!("oracle: no corpora in {}", folder.display());
    }
    sources.push(own());
    match generated(arguments.queries, arguments.seed) {
        Ok(Generated::Queries(source)) => sources.push(source),
        Ok(Generated::Absent) => println!("oracle: no sqlsmith, no generated queries"),
        Err(error) => println!("oracle: no generated queries: {error}"),
    }
    sources
}

/// Tells how many of a source's texts PostgreSQL parses, and how many of those Tollgate understands.
fn coverage(source: &Source, out: &Path) -> std::io::Result<()> {
    let (mut parsed, mut understood, mut missing) = (0, 0, String::new());
    for text in source.texts.iter().filter(|text| opinions(text, Reading::Standard).is_ok()) {
        parsed += 1;
        match compare::tollgate(text) {
            Ok(_) => understood += 1,
            Err(reason) => {
                let line = serde_json::json!({ "sql": text, "reason": reason });
                let _ = writeln!(missing, "{line}");
            }
        }
    }
    let path = out.join(format!("missing-{}.jsonl", source.name.replace([' ', '\''], "_")));
    fs::create_dir_all(out)?;
    fs::write(&path, missing)?;
    println!(
        "oracle: {}: {} texts, PostgreSQL parses {parsed}, Tollgate understands {understood} of them; others in {}",
        source.name,
        source.texts.len(),
        path.display()
    );
    Ok(())
}

fn report(tally: &Tally, arguments: &Arguments) -> ExitCode {
    for (name, texts) in [("only-tollgate", &tally.only_tollgate), ("only-postgresql", &tally.only_oracle)] {
        let line = |(text, reason): &(String, String)| {
            format!("{}\n", serde_json::json!({ "sql": text, "reason": reason }))
        };
        let path = arguments.out.join(format!("{name}.jsonl"));
        if let Err(error) = fs::write(&path, texts.iter().map(line).collect::<String>()) {
            eprintln!("oracle: cannot write {}: {error}", path.display());
        }
    }
    println!("oracle: {tally}");
    for shown in tally.smallest(arguments.shown) {
        println!("{shown}");
    }
    if tally.disagreed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
