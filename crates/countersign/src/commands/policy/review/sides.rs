//! The two sides of a change, read into memory: from a directory, or from a commit by the `git` programme. Both are
//! hostile. No link is followed, nothing is read from outside, and no name becomes an option of git.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, bail};
use countersign_policy::{GUARDRAILS, SourceFile};

use super::git::git;

const TESTS: &str = "tests";
const MATRIX: &str = "matrix.txt";

/// Longest file, and how many there may be: whatever is larger was not written by somebody who reviews it.
const LONGEST: u64 = 1 << 20;
const MOST: usize = 2_000;

/// All of them together.
const ALL: u64 = 16 << 20;

#[derive(Debug)]
pub(super) struct Side {
    /// As it was named.
    pub(super) name: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Directory(PathBuf),
    /// By its hash.
    Commit(String),
}

/// What counts in a policy directory, as text. Paths are as seen from the top of the side.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) policies: Vec<SourceFile>,
    pub(super) tests: Vec<SourceFile>,
    pub(super) matrix: Option<String>,
}

/// Where a file's text is.
enum Found {
    Link,
    File { size: u64, from: Text },
}

enum Text {
    Path(PathBuf),
    Blob(String),
}

impl Side {
    /// A name with a slash at an end of it is a directory, every other one a revision: nobody can put a directory into the
    /// place of a revision by giving it that name.
    pub(super) fn find(name: &str) -> anyhow::Result<Self> {
        let starts = ["/", "./", "../"].iter().any(|start| name.starts_with(start));
        let place = if starts || name.ends_with('/') || matches!(name, "." | "..") {
            if !Path::new(name).is_dir() {
                bail!("{name} is no directory");
            }
            Place::Directory(PathBuf::from(name))
        } else {
            Place::Commit(commit(name)?)
        };
        Ok(Self { name: name.to_owned(), place })
    }

    pub(super) fn commit(&self) -> Option<&str> {
        match &self.place {
            Place::Directory(_) => None,
            Place::Commit(id) => Some(id),
        }
    }

    /// The policy directory `path`, with its tests and its matrix; without policies where there is none.
    pub(super) fn read(&self, path: &Path) -> anyhow::Result<Files> {
        let listed = self.list(path)?;
        if listed.len() > MOST {
            bail!("{} files are in {} of {}: a review reads {MOST} at most", listed.len(), path.display(), self.name);
        }
        let sizes = listed.values().map(|found| if let Found::File { size, .. } = found { *size } else { 0 });
        let all = sizes.fold(0, u64::saturating_add);
        if all > ALL {
            bail!("{} of {} has {all} bytes: a review reads {ALL} at most", path.display(), self.name);
        }
        let mut files = Files::default();
        // What is in the folders comes after what is at the top.
        let (top, below): (Vec<_>, Vec<_>) = listed.into_iter().partition(|(name, _)| !name.contains('/'));
        for (name, found) in top.into_iter().chain(below) {
            let path = path.join(&name);
            let text = text(found).with_context(|| format!("{} of {} cannot be read", path.display(), self.name))?;
            match name.split_once('/') {
                None if name == MATRIX => files.matrix = Some(text),
                Some((TESTS, _)) => files.tests.push(SourceFile { path, text }),
                // Without policies there is nothing that a guardrail could be about.
                Some(_) if files.policies.is_empty() => {}
                _ => files.policies.push(SourceFile { path, text }),
            }
        }
        Ok(files)
    }

    /// Everything that counts, by its name as seen from `path`.
    fn list(&self, path: &Path) -> anyhow::Result<BTreeMap<String, Found>> {
        match &self.place {
            Place::Directory(root) => in_directory(root, path),
            Place::Commit(id) => in_commit(id, path),
        }
    }
}

/// A path below the top: relative, without a way up. `.` is the top.
pub(super) fn below(path: &Path) -> anyhow::Result<PathBuf> {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => plain.push(name),
            Component::CurDir => {}
            Component::ParentDir if plain.pop() => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                bail!("{} is outside of what is reviewed", path.display())
            }
        }
    }
    Ok(plain)
}

/// Whether a file at this place in a policy directory counts. Folders that are links count, so that they are refused.
fn counts(name: &str, is_link: bool) -> bool {
    let extension = |name: &str| Path::new(name).extension().and_then(|it| it.to_str()).unwrap_or_default().to_owned();
    match name.split_once('/') {
        None => name == MATRIX || extension(name) == "cedar" || (is_link && [GUARDRAILS, TESTS].contains(&name)),
        Some((GUARDRAILS, file)) => !file.contains('/') && extension(file) == "cedar",
        Some((TESTS, file)) => !file.contains('/') && extension(file) == "toml",
        Some(_) => false,
    }
}

fn text(found: Found) -> anyhow::Result<String> {
    let Found::File { size, from } = found else { bail!("it is a link, and a review follows none") };
    if size > LONGEST {
        bail!("it has {size} bytes, and a review reads {LONGEST} at most");
    }
    let bytes = match from {
        Text::Path(path) => fs::read(path)?,
        Text::Blob(id) => git(&["cat-file", "blob", &id])?,
    };
    String::from_utf8(bytes).context("it is no UTF-8")
}

fn in_directory(root: &Path, path: &Path) -> anyhow::Result<BTreeMap<String, Found>> {
    let mut place = root.to_owned();
    for component in path.components() {
        place.push(component);
        match fs::symlink_metadata(&place) {
            Ok(about) if about.is_symlink() => bail!("{} is a link, and a review follows none", place.display()),
            Ok(about) if about.is_dir() => {}
            _ => return Ok(BTreeMap::new()),
        }
    }
    let mut found = BTreeMap::new();
    let mut open = vec![(place, String::new())];
    while let Some((folder, prefix)) = open.pop() {
        let unreadable = || format!("{} cannot be read", folder.display());
        for entry in fs::read_dir(&folder).with_context(unreadable)? {
            let entry = entry.with_context(unreadable)?;
            let Some(name) = entry.file_name().to_str().map(|name| format!("{prefix}{name}")) else { continue };
            let about = fs::symlink_metadata(entry.path()).with_context(unreadable)?;
            if about.is_dir() {
                if [GUARDRAILS, TESTS].contains(&name.as_str()) {
                    open.push((entry.path(), format!("{name}/")));
                }
            } else if counts(&name, about.is_symlink()) {
                let file = match about.is_file() {
                    true => Found::File { size: about.len(), from: Text::Path(entry.path()) },
                    // A pipe or a device neither.
                    false => Found::Link,
                };
                found.insert(name, file);
            }
        }
    }
    Ok(found)
}

fn in_commit(id: &str, path: &Path) -> anyhow::Result<BTreeMap<String, Found>> {
    let path = path.to_str().context("the path of the policies is no UTF-8")?;
    let top = match path {
        "" => id.to_owned(),
        // The one entry of that name; git follows no link on the way to it.
        path => match level(id, &["--", path])?.into_iter().find(|entry| entry.name == path) {
            None => return Ok(BTreeMap::new()),
            Some(entry) if entry.is_folder() => entry.id,
            Some(_) => bail!("{path} is no directory in {id}, and a review follows no link"),
        },
    };
    // INVARIANT: Level by level, and only those that count. A small tree can name itself often enough that whoever walks
    // it never comes to an end.
    let mut found = BTreeMap::new();
    for entry in level(&top, &[])? {
        if !entry.is_folder() {
            entry.take("", &mut found)?;
        } else if [GUARDRAILS, TESTS].contains(&entry.name.as_str()) {
            for inner in level(&entry.id, &[])?.into_iter().filter(|inner| !inner.is_folder()) {
                inner.take(&format!("{}/", entry.name), &mut found)?;
            }
        }
    }
    Ok(found)
}

/// What stands in a tree.
struct Entry {
    mode: String,
    id: String,
    size: Option<u64>,
    name: String,
}

impl Entry {
    fn is_folder(&self) -> bool {
        self.mode == "040000"
    }

    /// Links and submodules as what is refused.
    fn take(self, prefix: &str, into: &mut BTreeMap<String, Found>) -> anyhow::Result<()> {
        let is_file = matches!(self.mode.as_str(), "100644" | "100755");
        let name = format!("{prefix}{}", self.name);
        if !counts(&name, !is_file) {
            return Ok(());
        }
        let file = match (is_file, self.size) {
            (true, Some(size)) => Found::File { size, from: Text::Blob(self.id) },
            _ => Found::Link,
        };
        // No programme writes such a tree, and which of the two is checked out is anybody's guess.
        if into.insert(name, file).is_some() {
            bail!("{prefix}{} is there twice", self.name);
        }
        Ok(())
    }
}

/// One level of a tree, or the entries of it that are asked for.
fn level(tree: &str, of: &[&str]) -> anyhow::Result<Vec<Entry>> {
    let mut arguments = vec!["ls-tree", "-z", "-l", "--full-tree", tree];
    arguments.extend(of);
    let said = git(&arguments)?;
    let entry = |line| {
        // "100644 blob HASH     SIZE\tNAME"
        let (about, name) = std::str::from_utf8(line).ok()?.split_once('\t')?;
        let mut words = about.split_whitespace();
        let (mode, _kind, id, size) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let (mode, id, name) = (mode.to_owned(), id.to_owned(), name.to_owned());
        Some(Entry { mode, id, size: size.parse().ok(), name })
    };
    Ok(said.split(|byte| *byte == 0).filter_map(entry).collect())
}

/// The hash of a revision's commit.
fn commit(revision: &str) -> anyhow::Result<String> {
    if revision.is_empty() || revision.starts_with('-') || revision.contains(char::is_control) {
        bail!("{revision:?} is no revision");
    }
    let found = git(&["rev-parse", "--verify", "--quiet", &format!("{revision}^{{commit}}")]).with_context(|| {
        format!("{revision} is no revision of a git repository here. A directory is written with a /: ./{revision}")
    })?;
    let id = String::from_utf8(found).unwrap_or_default().trim().to_owned();
    if !matches!(id.len(), 40 | 64) || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        bail!("git does not say what the commit {revision} is");
    }
    Ok(id)
}
