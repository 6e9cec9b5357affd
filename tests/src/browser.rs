//! Chromium without a window, where the machine has one.

use super::{Ran, Running};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What its program is called.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// A browser with a profile of its own.
#[derive(Debug)]
pub struct Browser {
    program: PathBuf,
    profile: tempfile::TempDir,
}

impl Browser {
    /// The machine's browser; where there is none, a line says that the test is skipped and how to have it run.
    pub fn find() -> Option<Self> {
        let folders: Vec<_> =
            std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
        let program =
            NAMES.iter().find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file()));
        if program.is_none() {
            // Not by `eprintln!`, which tests that pass keep to themselves.
            let skipped = "browser test skipped: there is no Chromium; Debian, Ubuntu: apt install chromium, Fedora: dnf install chromium";
            let _ = writeln!(std::io::stderr(), "{skipped}");
        }
        Some(Self { program: program?, profile: tempfile::tempdir().expect("a temporary folder") })
    }

    fn run(&self, arguments: &[String], page: &Path) -> Ran {
        let mut command = Command::new(&self.program);
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"]);
        command.args(["--enable-logging=stderr", "--virtual-time-budget=10000"]);
        command.arg(format!("--user-data-dir={}", self.profile.path().display()));
        command.args(arguments).arg(format!("file://{}", page.display()));
        Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped())).finish().succeeded()
    }

    /// How many pages of paper the page takes.
    pub fn printed_pages(&self, page: &Path, pdf: &Path) -> usize {
        self.run(&["--no-pdf-header-footer".into(), format!("--print-to-pdf={}", pdf.display())], page);
        let bytes = std::fs::read(pdf).expect("the printed page");
        let counts = regex::bytes::Regex::new(r"/Count (\d+)").expect("an expression");
        let numbers = counts.captures_iter(&bytes).filter_map(|found| String::from_utf8_lossy(&found[1]).parse().ok());
        numbers.max().expect("a number of pages")
    }

    /// By how many pixels a page is wider than windows of these widths, with all that is folded open, and what stands out
    /// at the right; and everything that its scripts complain of.
    pub fn overflow(&self, page: &Path, widths: &[usize], harness: &Path) -> Vec<String> {
        let html =
            serde_json::Value::from(std::fs::read_to_string(page).expect("the page")).to_string().replace("</", "<\\/");
        std::fs::write(harness, HARNESS.replace("WIDTHS", &format!("{widths:?}")).replace("PAGE", &html))
            .expect("the harness");
        let ran = self.run(&["--dump-dom".into()], harness);
        let found = ran.stdout.split("<pre>").nth(1).and_then(|rest| rest.split("</pre>").next());
        let found = found.unwrap_or_else(|| panic!("no answer of the page: {}\n{}", ran.stdout, ran.stderr));
        assert!(found.starts_with(&format!("{} looked at", widths.len())), "{found}\n{}", ran.stderr);
        let told = ran.stderr.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned);
        let text = |line: &str| line.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        found.lines().skip(1).map(text).chain(told).collect()
    }
}

/// Holds the page in frames of several widths, measures, and writes what it finds.
const HARNESS: &str = r##"<!doctype html><meta charset="utf-8"><body><script>
const found = [];
let looked = 0;
for (const width of WIDTHS) {
  const frame = document.createElement("iframe");
  frame.style.cssText = `width:${width}px;height:800px;border:0`;
  frame.onload = () => {
    const page = frame.contentDocument;
    for (const folded of page.querySelectorAll("details")) folded.open = true;
    const room = page.documentElement.clientWidth, over = page.documentElement.scrollWidth - room;
    if (over > 0) {
      const out = [...page.body.querySelectorAll("*")].filter(one => one.getBoundingClientRect().right > room + 0.5);
      const named = out.slice(0, 5).map(one => `<${one.tagName.toLowerCase()} class=${one.className}>`).join(" ");
      found.push(`at ${width} px it is ${over} px too wide: ${named}`);
    }
    looked += 1;
    const said = document.createElement("pre");
    said.textContent = [`${looked} looked at`, ...found].join("\n");
    document.querySelectorAll("pre").forEach(old => old.remove());
    document.body.prepend(said);
  };
  frame.srcdoc = PAGE;
  document.body.append(frame);
}
</script></body>
"##;
