//! What packed programs start with where no libtorch is found: libraries of the same names that define what the programs ask of
//! libtorch and hold none of it, so that commands which compute nothing answer all the same.
//!
//! A call says what is lacking and ends the process with exit code 5. Launchers put the folder on the library search path,
//! with the reason in `SELFSAME_WITHOUT_LIBTORCH`.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use object::read::{ReadCache, ReadRef};
use object::{Object, ObjectSymbol, SymbolKind};

use crate::prerequisites::compiler;
use crate::runpath;
use crate::workspace::Packages;

/// The folder's name beside the packed program.
pub const FOLDER: &str = "without-libtorch";
/// The libraries of libtorch that programs link.
const LIBRARIES: [&str; 2] = ["libc10.so", "libtorch_cpu.so"];

/// The one function that stands for all.
const ABSENT: &str = r#"#include <cstdlib>
#include <cstring>
#include <unistd.h>
extern "C" {
static void say(const char* text) { if (write(2, text, std::strlen(text)) < 0) _exit(5); }
static void absent() {
    const char* reason = std::getenv("SELFSAME_WITHOUT_LIBTORCH");
    say("error: ");
    say(reason ? reason : "there is no libtorch");
    say("\n");
    _exit(5);
}
"#;

/// Makes them anew in `folder`, from what program and plugins ask of the libtorch that they were built against; returns the
/// files.
pub fn libraries(packages: &Packages, folder: &Path) -> Result<Vec<PathBuf>> {
    let programs =
        [packages.binary()].into_iter().chain(packages.plugins.iter().map(|name| packages.staged().join(name)));
    let programs = programs.map(|path| fs::read(&path).with_context(|| format!("cannot read {}", path.display())));
    let programs = programs.collect::<Result<Vec<_>>>()?;
    let libtorch = programs.iter().find_map(|program| runpath::builders_folder(program, LIBRARIES[1]).transpose());
    let libtorch = libtorch.context("the program names no folder of libtorch; build it again")??;
    let mut asked = BTreeSet::new();
    for program in &programs {
        asked.extend(
            symbols(program.as_slice())?.into_iter().filter(|symbol| symbol.is_asked).map(|symbol| symbol.name),
        );
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    LIBRARIES.map(|name| library(name, &libtorch.join(name), &asked, folder)).into_iter().collect()
}

/// One library that defines what is asked for of the real one.
fn library(name: &str, real: &Path, asked: &BTreeSet<String>, folder: &Path) -> Result<PathBuf> {
    let cannot = || format!("cannot read {}", real.display());
    let cache = ReadCache::new(File::open(real).with_context(cannot)?);
    let defined = symbols(&cache).with_context(cannot)?;
    let defined: Vec<_> =
        defined.into_iter().filter(|symbol| !symbol.is_asked && asked.contains(&symbol.name)).collect();
    if defined.is_empty() {
        bail!("{} has nothing of what the program asks for", real.display());
    }
    let (library, source) = (folder.join(name), folder.join(name).with_extension("cpp"));
    fs::write(&source, text(&defined)).with_context(|| format!("cannot write {}", source.display()))?;
    let (compiler, mut command) = compiler();
    // By a relative name, so that the library is the same wherever it is made.
    command.current_dir(folder).args(["-O1", "-s", "-shared", "-fPIC", "-o", name]).arg(format!("-Wl,-soname,{name}"));
    let output = command.arg(source.file_name().unwrap_or_default()).output();
    let output = output.with_context(|| format!("the C++ compiler `{compiler}` cannot be run"))?;
    if !output.status.success() {
        bail!(
            "`{compiler}` cannot build {}: {}",
            library.display(),
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    }
    Ok(library)
}

/// The library's source: every function is the one function, every object is empty.
fn text(defined: &[Symbol]) -> String {
    let mut text = ABSENT.to_owned();
    for (at, Symbol { name, is_function, size, .. }) in defined.iter().enumerate() {
        let _ = match is_function {
            true => writeln!(text, "extern void f{at}() __asm__(\"{name}\") __attribute__((alias(\"absent\")));"),
            false => writeln!(text, "extern char o{at}[{0}] __asm__(\"{name}\"); char o{at}[{0}];", (*size).max(1)),
        };
    }
    text.push_str("}\n");
    text
}

/// A name that a program or library asks for, or that it defines.
struct Symbol {
    name: String,
    is_asked: bool,
    is_function: bool,
    /// In bytes.
    size: u64,
}

fn symbols<'data>(program: impl ReadRef<'data>) -> Result<Vec<Symbol>> {
    let file = object::File::parse(program)?;
    let symbol = |symbol: object::Symbol<'data, '_, _>| {
        Ok(Symbol {
            name: symbol.name()?.to_owned(),
            is_asked: symbol.is_undefined(),
            is_function: symbol.kind() == SymbolKind::Text,
            size: symbol.size(),
        })
    };
    file.dynamic_symbols().map(symbol).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// Compiles C++ source with these arguments.
    fn compiled(source: &str, output: &Path, arguments: &[&str]) {
        let file = output.with_extension("source.cpp");
        fs::write(&file, source).unwrap();
        let (_, mut command) = compiler();
        assert!(command.args(["-o".as_ref(), output, &file]).args(arguments).status().unwrap().success());
    }

    #[test]
    fn a_program_starts_with_the_stand_in_and_its_first_call_says_what_is_lacking() {
        let folder = tempfile::tempdir().unwrap();
        let (real, program) = (folder.path().join("libreal.so"), folder.path().join("program"));
        compiled(
            "namespace at { int unused() { return 1; } struct Base { virtual int sum(int x); }; int Base::sum(int x) { return x; }\
             int table[40] = {7}; }",
            &real,
            &["-shared", "-fPIC", "-Wl,-soname,libreal.so"],
        );
        compiled(
            "#include <cstdio>\nnamespace at { struct Base { virtual int sum(int x); }; extern int table[40]; }\
             struct Own : at::Base {}; int main(int count, char**) { std::printf(\"%d\\n\", at::table[39]); std::fflush(stdout);\
             if (count > 1) { Own own; at::Base* base = &own; return base->at::Base::sum(0); } return 0; }",
            &program,
            // As cargo compiles C++: what a library defines is not copied into the program.
            &["-fPIC", real.to_str().unwrap()],
        );
        let asked = symbols(fs::read(&program).unwrap().as_slice()).unwrap();
        let asked = asked.into_iter().filter(|symbol| symbol.is_asked).map(|symbol| symbol.name).collect();
        let stand_ins = folder.path().join("stand-ins");
        fs::create_dir(&stand_ins).unwrap();
        let library = library("libreal.so", &real, &asked, &stand_ins).unwrap();
        let names: Vec<_> = symbols(fs::read(library).unwrap().as_slice()).unwrap();
        assert!(names.iter().all(|symbol| !symbol.name.contains("unused")));
        let start = |arguments: &[&str]| {
            let mut command = Command::new(&program);
            command.args(arguments).env("LD_LIBRARY_PATH", &stand_ins);
            command.env("SELFSAME_WITHOUT_LIBTORCH", "there is none in /nowhere").output().unwrap()
        };
        assert_eq!((start(&[]).status.code(), start(&[]).stdout), (Some(0), b"0\n".to_vec()));
        let ended = start(&["call"]);
        assert_eq!((ended.status.code(), ended.stderr), (Some(5), b"error: there is none in /nowhere\n".to_vec()));
    }
}
