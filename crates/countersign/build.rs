//! Puts the starter policies of `policies/` into the binary, with their tests and their access matrix, whatever their names.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    println!("cargo::rerun-if-changed={}", directory.display());
    let mut paths: Vec<PathBuf> = vec![directory.join("matrix.txt")];
    for (folder, extension) in [("", "cedar"), ("guardrails", "cedar"), ("tests", "toml")] {
        let found = fs::read_dir(directory.join(folder))?.map(|entry| entry.map(|entry| entry.path()));
        let found = found.collect::<io::Result<Vec<PathBuf>>>()?.into_iter();
        paths.extend(found.filter(|path| path.extension().is_some_and(|it| it == extension)));
    }
    paths.sort();
    let mut code = "/// What a new installation starts with: policies, guardrails, tests and their access matrix; file name and text.\npub const STARTER: &[(&str, &str)] = &[\n".to_owned();
    for path in &paths {
        let name = path.strip_prefix(&directory).unwrap_or(path).to_string_lossy();
        let path = path.canonicalize()?;
        let _ = writeln!(code, "    ({name:?}, include_str!({:?})),", path.display().to_string());
    }
    code += "];\n";
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("OUT_DIR is not set"))?;
    fs::write(Path::new(&out).join("starter_policies.rs"), code)
}
