//! The command line program; `selfsame::cli` is all of it.

fn main() -> std::process::ExitCode {
    selfsame::cli::run()
}
