//! `tollgate hash-password`.

use std::io::{self, BufRead, IsTerminal};
use std::num::NonZeroU32;

use aws_lc_rs::rand;

use super::could_not;
use crate::identity::{ITERATIONS, Verifier};

const PASSWORD_BYTES_MAX: usize = 1024;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// How costly a guess is made.
    #[arg(long, default_value_t = ITERATIONS)]
    iterations: NonZeroU32,
}

pub(super) fn run(arguments: &Arguments) -> u8 {
    if io::stdin().is_terminal() {
        eprintln!("Password (it is shown as you type; better: pipe it in):");
    }
    let mut line = String::new();
    if let Err(error) = io::stdin().lock().read_line(&mut line) {
        return could_not(&error);
    }
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() || password.len() > PASSWORD_BYTES_MAX {
        eprintln!("tollgate: a password has 1 to {PASSWORD_BYTES_MAX} bytes on one line of standard input");
        return 2;
    }
    let mut salt = [0; 16];
    if let Err(error) = rand::fill(&mut salt) {
        return could_not(&error);
    }
    println!("{}", Verifier::from_password(password, &salt, arguments.iterations).text());
    0
}
