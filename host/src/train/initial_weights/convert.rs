//! How to make a safetensors file of a PyTorch checkpoint.

use std::path::Path;

/// PyTorch writes zip archives, formerly plain pickles of protocol 2.
pub fn is_pickle(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\x80\x02")
}

/// Python that takes the tensors out of nested dictionaries, under the names that lead to them, but for an optimiser's; copies
/// those that share memory; and writes no file where there are none. Of what else checkpoints hold, settings, paths and NumPy's
/// numbers are let through; classes are named, since loading those could run code.
const PROGRAM: &str = "import sys, argparse, collections, importlib.util, pathlib, zipfile, torch, safetensors.torch as s; \
    given, path = sys.argv[1:]; \
    np = importlib.util.find_spec(\"numpy\") and __import__(\"numpy\"); \
    number = np and np.float64(0).__reduce__()[0]; \
    torch.serialization.add_safe_globals([argparse.Namespace, collections.defaultdict, collections.OrderedDict, dict, \
    pathlib.PosixPath] + ([np.dtype, number, (number, \"numpy.core.multiarray.scalar\")] + \
    [type(np.dtype(kind)) for kind in \"?bBhHiIlLqQefd\"] if np else [])); \
    script = zipfile.is_zipfile(given) and any(n.endswith(\"constants.pkl\") for n in zipfile.ZipFile(given).namelist()); \
    classes = zipfile.is_zipfile(given) and not script and \
    getattr(torch.serialization, \"get_unsafe_globals_in_checkpoint\", lambda path: [])(given); \
    classes and sys.exit(given + \" holds more than weights: \" + \", \".join(classes[:3]) + \"; load it in the program that wrote \
    it, save model.state_dict() alone with torch.save, and convert that file\"); \
    flat = lambda d, at=\"\": {k: t for n, v in d.items() if \"optim\" not in str(n) for k, t in \
    (flat(v, at + str(n) + \".\") if isinstance(v, dict) else {at + str(n): v} if torch.is_tensor(v) else {}).items()}; \
    tensors = flat(torch.jit.load(given, map_location=\"cpu\").state_dict() if script else \
    torch.load(given, map_location=\"cpu\", weights_only=True)); \
    tensors or sys.exit(given + \" holds no tensors\"); \
    s.save_file({k: t.detach().clone().contiguous() for k, t in tensors.items()}, path)";

/// What to do with the checkpoint at `path`: a line for a shell.
pub fn advice(path: &Path) -> String {
    let quoted = |path: &Path| shell_words::quote(&path.to_string_lossy()).into_owned();
    format!(
        "this is a PyTorch checkpoint; a safetensors file, which cannot run code, is needed. Convert it where PyTorch and \
         safetensors are installed:\npython3 -c {} {} {}",
        shell_words::quote(PROGRAM),
        quoted(path),
        quoted(&path.with_extension("safetensors"))
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Output};

    /// Stands for PyTorch: a checkpoint is Python's own text, a tensor the name of its memory in a list.
    const TORCH: &str = "import types, ast\n\
        serialization = types.SimpleNamespace(add_safe_globals=lambda known: None, get_unsafe_globals_in_checkpoint=lambda path: ['lab.Net'])\n\
        script = lambda: {'layer.a': Tensor([1])}\n\
        jit = types.SimpleNamespace(load=lambda path, map_location: types.SimpleNamespace(state_dict=script))\n\
        class Tensor(list):\n    detach = clone = contiguous = lambda self: Tensor(self)\n\
        def tensors(v):\n    return {k: tensors(w) for k, w in v.items()} if isinstance(v, dict) else Tensor(v) if isinstance(v, list) else v\n\
        def load(path, map_location, weights_only):\n    assert weights_only\n    return tensors(ast.literal_eval(open(path).read()))\n\
        is_tensor = lambda v: isinstance(v, Tensor)\n";
    const SAFETENSORS: &str = "import json\n\
        def save_file(tensors, path):\n    assert len({id(t) for t in tensors.values()}) == len(tensors)\n    open(path, 'w').write(json.dumps(tensors))\n";

    /// Runs the printed line in a shell, with stand-ins for both packages.
    fn convert(folder: &Path, name: &str, checkpoint: &str) -> (Output, Option<String>) {
        let path = folder.join(name);
        std::fs::write(&path, checkpoint).unwrap();
        converted(folder, &path)
    }

    /// A zip archive with one file of this name, as PyTorch's are.
    fn zipped(folder: &Path, name: &str, inside: &str) -> std::path::PathBuf {
        let path = folder.join(name);
        let script = "import sys, zipfile; zipfile.ZipFile(sys.argv[1], 'w').writestr(sys.argv[2], '')";
        assert!(Command::new("python3").args(["-c", script]).arg(&path).arg(inside).status().unwrap().success());
        path
    }

    fn converted(folder: &Path, path: &Path) -> (Output, Option<String>) {
        std::fs::create_dir_all(folder.join("packages/safetensors")).unwrap();
        std::fs::write(folder.join("packages/torch.py"), TORCH).unwrap();
        std::fs::write(folder.join("packages/safetensors/__init__.py"), "").unwrap();
        std::fs::write(folder.join("packages/safetensors/torch.py"), SAFETENSORS).unwrap();
        let advice = advice(path);
        let line = advice.lines().nth(1).unwrap();
        let ran = Command::new("sh").args(["-c", line]).env("PYTHONPATH", folder.join("packages")).output().unwrap();
        (ran, std::fs::read_to_string(path.with_extension("safetensors")).ok())
    }

    #[test]
    fn the_line_takes_nested_checkpoints_and_odd_paths_and_writes_no_empty_file() {
        let dir = tempfile::tempdir().unwrap();
        for (name, checkpoint, expected) in [
            ("plain.pth", "{'conv1.weight': [1], 'epoch': 3}", r#"{"conv1.weight": [1]}"#),
            ("it's $HOME \"x\".pth", "{'a': [1]}", r#"{"a": [1]}"#),
            ("model.pth", "{'model': {'a': [1]}, 'optimizer': {'state': {0: {'m': [2]}}}}", r#"{"model.a": [1]}"#),
            ("lightning.ckpt", "{'state_dict': {'model.a': [1]}, 'epoch': 1}", r#"{"state_dict.model.a": [1]}"#),
            (
                "dino.pth",
                "{'student': {'module.backbone.a': [1]}, 'teacher': {'backbone.a': [2]}}",
                r#"{"student.module.backbone.a": [1], "teacher.backbone.a": [2]}"#,
            ),
        ] {
            let (ran, written) = convert(dir.path(), name, checkpoint);
            assert!(ran.status.success(), "{name}: {}", String::from_utf8_lossy(&ran.stderr));
            assert_eq!(written.as_deref(), Some(expected), "{name}");
        }
        let (ran, written) = convert(dir.path(), "none.pth", "{'epoch': 3, 'args': {}}");
        assert!(!ran.status.success() && written.is_none(), "{written:?}");
        assert!(String::from_utf8_lossy(&ran.stderr).contains("none.pth holds no tensors"));
    }

    #[test]
    fn the_line_takes_torchscript_and_names_classes_that_it_cannot_load() {
        let dir = tempfile::tempdir().unwrap();
        let (ran, written) = converted(dir.path(), &zipped(dir.path(), "script.pt", "script/constants.pkl"));
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        assert_eq!(written.as_deref(), Some(r#"{"layer.a": [1]}"#));
        let (ran, written) = converted(dir.path(), &zipped(dir.path(), "module.pth", "module/data.pkl"));
        assert!(!ran.status.success() && written.is_none(), "{written:?}");
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(said.contains("module.pth holds more than weights: lab.Net; load it in the program"), "{said}");
    }
}
