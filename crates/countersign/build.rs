//! Puts the starter policies of `policies/` into the binary, whatever their names.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    println!("cargo::rerun-if-changed={}", directory.display());
    let mut paths: Vec<PathBuf> =
        fs::read_dir(&directory)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
    let guardrails = directory.join("guardrails");
    paths.extend(
        fs::read_dir(guardrails)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?,
    );
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "cedar"));
    paths.sort();
    let mut code = "/// The policies that a new installation starts with: file name and text.\npub const STARTER: &[(&str, &str)] = &[\n".to_owned();
    for path in &paths {
        let name = path.strip_prefix(&directory).unwrap_or(path).to_string_lossy();
        let path = path.canonicalize()?;
        let _ = writeln!(code, "    ({name:?}, include_str!({:?})),", path.display().to_string());
    }
    code += "];\n";
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("OUT_DIR is not set"))?;
    fs::write(Path::new(&out).join("starter_policies.rs"), code)
}
