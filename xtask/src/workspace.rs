//! Where things lie, and how cargo is called again from inside `cargo xtask`.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The checkout that this program belongs to.
pub struct Workspace {
    /// The folder of the root `Cargo.toml`.
    pub root: PathBuf,
}

/// What cargo says about the workspace's packages.
pub struct Packages {
    /// Cargo's target folder: `CARGO_TARGET_DIR` or the default.
    pub target: PathBuf,
    /// File names of the libraries of the packages under `plugins/`, such as `libselfsame_plugin_shapes.so`.
    pub plugins: Vec<String>,
}

impl Workspace {
    /// Finds the checkout: cargo says where this package lies when it runs it.
    pub fn locate() -> Result<Self> {
        let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&package).parent().context("xtask has no folder above it: run it as `cargo xtask`")?;
        Ok(Self { root: root.to_owned() })
    }

    /// Our own libtorch, exactly as `.cargo/config.toml` spells it.
    pub fn libtorch(&self) -> PathBuf {
        self.root.join(".libtorch")
    }

    /// Whether the environment names a libtorch of the user's own.
    pub fn user_libtorch(&self) -> Option<PathBuf> {
        env::var_os("LIBTORCH").map(PathBuf::from).filter(|path| *path != self.libtorch())
    }

    /// A cargo command that sees the same environment as one that is typed by hand.
    ///
    /// Cargo compares the variables that torch-sys watches with those of the last build, and a difference costs
    /// minutes of compiling. Values that reached us through cargo are therefore taken out, for cargo to put back.
    pub fn cargo(&self) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root);
        if self.user_libtorch().is_none() {
            command.env_remove("LIBTORCH");
        }
        for (name, _) in env::vars_os() {
            let from_cargo = |prefix| name.to_str().is_some_and(|name| name.starts_with(prefix));
            if from_cargo("CARGO_PKG_") || from_cargo("CARGO_MANIFEST_") {
                command.env_remove(name);
            }
        }
        command
    }

    /// Asks cargo for the target folder and the plugin packages.
    pub fn packages(&self) -> Result<Packages> {
        let output = self
            .cargo()
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .output()
            .context("cannot run `cargo metadata`")?;
        if !output.status.success() {
            bail!("`cargo metadata` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let metadata = serde_json::from_slice(&output.stdout).context("cannot read what `cargo metadata` printed")?;
        Packages::read(&metadata)
    }
}

impl Packages {
    fn read(metadata: &Value) -> Result<Self> {
        let folder = |key: &str| {
            metadata[key].as_str().map(PathBuf::from).with_context(|| format!("`cargo metadata` has no `{key}`"))
        };
        let plugins = plugins_under(metadata, &folder("workspace_root")?.join("plugins"));
        Ok(Self { target: folder("target_directory")?, plugins })
    }

    /// The folder that release builds are written to.
    pub fn release(&self) -> PathBuf {
        self.target.join("release")
    }

    /// The built `selfsame` program.
    pub fn binary(&self) -> PathBuf {
        self.release().join("selfsame")
    }

    /// The folder beside the binary where it looks for plugins.
    pub fn staged(&self) -> PathBuf {
        self.release().join("plugins")
    }
}

fn plugins_under(metadata: &Value, folder: &Path) -> Vec<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut plugins = Vec::new();
    for package in list(&metadata["packages"]) {
        let inside = package["manifest_path"].as_str().is_some_and(|path| Path::new(path).starts_with(folder));
        let library = list(&package["targets"])
            .into_iter()
            .find(|target| list(&target["kind"]).iter().any(|kind| kind == "cdylib"))
            .and_then(|target| target["name"].as_str().map(|name| format!("lib{}.so", name.replace('-', "_"))));
        plugins.extend(library.filter(|_| inside));
    }
    plugins
}

/// Runs a command with our own input and output, and says so when it cannot be started.
pub fn run(command: &mut Command) -> Result<ExitStatus> {
    let program = command.get_program().to_owned();
    command.status().with_context(|| format!("cannot run {}", OsStr::display(&program)))
}

/// The exit code of a finished program; one that a signal ended counts as a failure with the shell's number for it.
pub fn exit_code(status: ExitStatus) -> ExitCode {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn finds_plugins_by_folder_and_crate_type() {
        let package = |name: &str, folder: &str, kind: &str| {
            json!({
                "name": name,
                "manifest_path": format!("/w/{folder}/Cargo.toml"),
                "targets": [{"kind": [kind], "name": name}],
            })
        };
        let metadata = json!({
            "workspace_root": "/w", "target_directory": "/elsewhere",
            "packages": [
                package("selfsame", "host", "lib"),
                package("data-sets", "plugins/a", "cdylib"),
                package("networks", "plugins/b", "cdylib"),
                package("helper", "plugins/common", "lib"),
                package("odd", "tests/plugins/odd", "cdylib"),
            ],
        });
        let packages = Packages::read(&metadata).unwrap();
        assert_eq!(packages.plugins, ["libdata_sets.so", "libnetworks.so"]);
        assert_eq!(packages.binary(), Path::new("/elsewhere/release/selfsame"));
        assert_eq!(packages.staged(), Path::new("/elsewhere/release/plugins"));
    }
}
