//! Arguments to exit code; everything else is the library's.

use std::process::ExitCode;

fn main() -> ExitCode {
    tollgate::cli::main()
}

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
