//! How to make a safetensors file of a PyTorch checkpoint.

use std::path::Path;

/// PyTorch writes zip archives, formerly plain pickles of protocol 2.
pub fn is_pickle(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\x80\x02")
}

/// Python that takes the tensors out of nested dictionaries, under the names that lead to them, but for an optimiser's; copies
/// those that share memory; and writes no file where there are none.
const PROGRAM: &str = "import sys, argparse, collections, torch, safetensors.torch as s; \
    torch.serialization.add_safe_globals([argparse.Namespace, collections.defaultdict, collections.OrderedDict, dict]); \
    flat = lambda d, at=\"\": {k: t for n, v in d.items() if \"optim\" not in str(n) for k, t in \
    (flat(v, at + str(n) + \".\") if isinstance(v, dict) else {at + str(n): v} if torch.is_tensor(v) else {}).items()}; \
    tensors = flat(torch.load(sys.argv[1], map_location=\"cpu\", weights_only=True)); \
    tensors or sys.exit(sys.argv[1] + \" holds no tensors\"); \
    s.save_file({k: t.detach().clone().contiguous() for k, t in tensors.items()}, sys.argv[2])";

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
        serialization = types.SimpleNamespace(add_safe_globals=lambda known: None)\n\
        class Tensor(list):\n    detach = clone = contiguous = lambda self: Tensor(self)\n\
        def tensors(v):\n    return {k: tensors(w) for k, w in v.items()} if isinstance(v, dict) else Tensor(v) if isinstance(v, list) else v\n\
        def load(path, map_location, weights_only):\n    assert weights_only\n    return tensors(ast.literal_eval(open(path).read()))\n\
        is_tensor = lambda v: isinstance(v, Tensor)\n";
    const SAFETENSORS: &str = "import json\n\
        def save_file(tensors, path):\n    assert len({id(t) for t in tensors.values()}) == len(tensors)\n    open(path, 'w').write(json.dumps(tensors))\n";

    /// Runs the printed line in a shell, with stand-ins for both packages.
    fn convert(folder: &Path, name: &str, checkpoint: &str) -> (Output, Option<String>) {
        std::fs::create_dir_all(folder.join("packages/safetensors")).unwrap();
        std::fs::write(folder.join("packages/torch.py"), TORCH).unwrap();
        std::fs::write(folder.join("packages/safetensors/__init__.py"), "").unwrap();
        std::fs::write(folder.join("packages/safetensors/torch.py"), SAFETENSORS).unwrap();
        let path = folder.join(name);
        std::fs::write(&path, checkpoint).unwrap();
        let advice = advice(&path);
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
}
