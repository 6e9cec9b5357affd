//! Runs the built `xtask build` and `xtask test` with a cargo that only writes down how it is called.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// A checkout with libtorch in place, a data set plugin, an encoder plugin, and that cargo.
fn checkout() -> tempfile::TempDir {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let root = folder.path();
    let write = |path: &str, text: &str| {
        fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        fs::write(root.join(path), text).unwrap();
    };
    for file in ["lib/libtorch_cpu.so", "lib/libtorch.so", "include/torch/all.h"] {
        write(&format!(".libtorch/{file}"), "");
    }
    write(".libtorch/.complete", r#"{"libtorch": "2.11.0", "cuda": false}"#);
    let package = |name: &str| {
        format!(
            r#"{{"name": "{name}", "manifest_path": "{0}/plugins/{name}/Cargo.toml",
                "targets": [{{"kind": ["cdylib"], "name": "{name}"}}]}}"#,
            root.display()
        )
    };
    let metadata = format!(
        r#"{{"workspace_root": "{0}", "target_directory": "{0}/target", "packages": [{1}, {2}]}}
"#,
        root.display(),
        package("pictures"),
        package("networks")
    );
    write("metadata.json", &metadata);
    write("target/release/libpictures.so", "pictures");
    write("target/release/libnetworks.so", "networks");
    write(
        "cargo",
        "#!/bin/sh\n[ \"$1\" = metadata ] && { while read -r line; do echo \"$line\"; done < metadata.json; exit; }\n\
         echo \"$* [${LIBTORCH-unset} ${CARGO_PKG_NAME-unset}]\" >> calls\n\
         [ \"$1\" = test ] && exit 101\nexit 0\n",
    );
    fs::set_permissions(root.join("cargo"), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// Runs a task; returns its exit code and the calls of cargo.
fn run(root: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(arguments)
        .env_clear()
        .env("CARGO", root.join("cargo"))
        .env("CARGO_MANIFEST_DIR", root.join("xtask"))
        .env("CARGO_PKG_NAME", "xtask")
        .env("LIBTORCH", root.join(".libtorch"))
        .output()
        .unwrap();
    let calls = fs::read_to_string(root.join("calls"));
    (output.status.code(), calls.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr))))
}

#[test]
fn builds_the_workspace_at_once_and_stages_all_plugins() {
    let folder = checkout();
    let (code, calls) = run(folder.path(), &["build"]);
    assert_eq!(code, Some(0));
    // The variables that cargo set for xtask are gone: another value of LIBTORCH would compile torch-sys anew.
    assert_eq!(calls, "build --release --workspace [unset unset]\n");
    for name in ["pictures", "networks"] {
        let staged = folder.path().join(format!("target/release/plugins/lib{name}.so"));
        assert_eq!(fs::read_to_string(staged).unwrap(), name);
    }
}

#[test]
fn passes_test_arguments_and_the_exit_code_through() {
    let folder = checkout();
    for arguments in [
        &["--no-fail-fast", "rejects", "--", "--nocapture"][..],
        &["--", "--nocapture"],
        &["-p", "selfsame", "rejects"],
        &[],
    ] {
        let (code, calls) = run(folder.path(), &[&["test"], arguments].concat());
        assert_eq!(code, Some(101));
        let packages = if arguments.contains(&"-p") { vec![] } else { vec!["--workspace"] };
        let expected = [&["test", "--release"], packages.as_slice(), arguments, &["[unset unset]"]].concat().join(" ");
        assert_eq!(calls.lines().last(), Some(expected.as_str()));
    }
}
