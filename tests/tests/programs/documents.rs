//! The commands of the documents, run one by one as they stand there.

use selfsame_tests::{Running, Sandbox, binary, repository};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// That of the workspace, so that what it has compiled fits.
const PROFILE: &str = "[profile.release]\nstrip = \"debuginfo\"\n[profile.release.package.torch-sys]\nopt-level = 0\n";

/// The lines of the `sh` blocks below a heading of a document, without comments.
fn commands(document: &str, heading: &str) -> Vec<String> {
    let text = std::fs::read_to_string(repository().join("docs").join(document)).unwrap();
    let section = text.split_once(&format!("\n{heading}\n")).expect(heading).1;
    let level = format!("\n{} ", heading.split(' ').next().unwrap());
    let section = section.split(&level).next().unwrap();
    let blocks = section.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
    // A line that ends in `\` goes on.
    let joined = blocks.collect::<String>().replace("\\\n", " ");
    let lines = joined.lines().map(|line| line.split("  #").next().unwrap().trim().to_owned());
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// A reader who types the commands: the program is on the PATH, and a copy of the repository lies in `~/selfsame`.
struct Reader {
    sandbox: Sandbox,
    folder: PathBuf,
}

impl Reader {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        std::os::unix::fs::symlink(repository(), sandbox.path("selfsame")).unwrap();
        let folder = sandbox.path("");
        Self { sandbox, folder }
    }

    fn run(&mut self, line: &str) -> String {
        if let Some(folder) = line.strip_prefix("cd ") {
            self.folder = self.folder.join(folder);
            assert!(self.folder.is_dir(), "{line}");
            if self.folder.join("Cargo.toml").exists() {
                // What the workspace has compiled and downloaded is shared, so that only the crate's own code is compiled.
                let target = binary().ancestors().nth(2).unwrap().to_owned();
                std::os::unix::fs::symlink(target, self.folder.join("target")).unwrap();
                std::fs::copy(repository().join("Cargo.lock"), self.folder.join("Cargo.lock")).unwrap();
                std::fs::create_dir(self.folder.join(".cargo")).unwrap();
                std::fs::write(self.folder.join(".cargo/config.toml"), PROFILE).unwrap();
            }
            return String::new();
        }
        let programs = binary().parent().unwrap().display().to_string();
        let sandboxed = self.sandbox.command("");
        let mut shell = Command::new("sh");
        for (name, value) in sandboxed.get_envs() {
            match value {
                // Cargo and Rust's toolchains lie in the home folder of whoever runs the tests.
                _ if name == "HOME" => {}
                Some(value) => drop(shell.env(name, value)),
                None => drop(shell.env_remove(name)),
            }
        }
        let home = self.sandbox.path("").display().to_string();
        shell
            .args(["-ec", &line.replace("~/", &format!("{home}/"))])
            .current_dir(&self.folder)
            .env("PATH", format!("{programs}:{}", std::env::var("PATH").unwrap()))
            .env("CARGO_NET_OFFLINE", "true")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let ran = Running::within(Duration::from_secs(3600), &mut shell).finish();
        assert_eq!(ran.code, Some(0), "{line}\nstdout:\n{}\nstderr:\n{}", ran.stdout, ran.stderr);
        ran.stdout
    }

    /// Types every command of a section; returns what the last one said.
    fn follow(&mut self, document: &str, heading: &str, at_least: usize) -> String {
        let commands = commands(document, heading);
        assert!(commands.len() >= at_least, "{document}, {heading}: {commands:?}");
        commands.iter().fold(String::new(), |_, line| self.run(line))
    }
}

#[test]
fn the_tutorial_of_a_data_set_leads_to_a_trained_run() {
    let mut reader = Reader::new();
    let table = reader.follow("plugins.md", "## A data set, from an empty folder to a trained run", 6);
    // The recommended views are such that training helps: the linear probe's top-1 of both encoders.
    let linear = |encoder: &str| -> f64 {
        let row = table.lines().find(|line| line.contains(&format!("│ {encoder} "))).expect(encoder);
        row.split('┆').nth(2).unwrap().trim().trim_end_matches(" %").parse().unwrap()
    };
    assert!(linear("trained") > linear("untrained"), "{table}");
    assert!(reader.sandbox.path("my-data/runs/my-data/report.html").exists());
}

#[test]
fn the_tutorial_of_an_encoder_leads_to_a_trained_run() {
    let mut reader = Reader::new();
    reader.follow("plugins.md", "## An encoder, from an empty folder to a trained run", 5);
    assert!(reader.sandbox.path("my-net/runs/my-net/encoder.safetensors").exists());
}

#[test]
fn the_tutorial_of_a_data_set_without_code_leads_to_a_trained_run() {
    let mut reader = Reader::new();
    std::fs::create_dir(reader.sandbox.path("stripes")).unwrap();
    let made = repository().join("tests/fixtures/stripes");
    for name in ["train.npz", "test.npz", "train.parquet", "test.parquet"] {
        std::fs::copy(made.join(name), reader.sandbox.path("stripes").join(name)).unwrap();
    }
    let text = std::fs::read_to_string(repository().join("docs/dataset-files.md")).unwrap();
    let blocks: Vec<&str> = text.split("```yaml\n").skip(1).map(|block| block.split("```").next().unwrap()).collect();
    std::fs::write(reader.sandbox.path("stripes/stripes.dataset.yaml"), blocks[0]).unwrap();
    reader.follow("dataset-files.md", "## From arrays to a trained run", 5);
    std::fs::write(reader.sandbox.path("stripes/pictures.dataset.yaml"), blocks[1]).unwrap();
    reader.follow("dataset-files.md", "## Parquet", 1);
}
