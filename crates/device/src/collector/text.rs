//! Parsers for the files that the collector reads. Total: any text gives an answer, and what is not understood gives none.

/// The version in an os-release file: digits and dots, so that it can be compared.
pub fn os_version(release: &str, debian_version: Option<&str>) -> Option<String> {
    let field = |name: &str| {
        release.lines().find_map(|line| {
            let value = line.strip_prefix(name)?.strip_prefix('=')?.trim();
            Some(value.trim_matches(|quote| quote == '"' || quote == '\''))
        })
    };
    let dotted = |text: &str| {
        let parts = text.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
        (parts && text.len() <= 32).then(|| text.to_owned())
    };
    let debian = debian_version.filter(|_| field("ID") == Some("debian")).map(str::trim);
    debian.and_then(dotted).or_else(|| field("VERSION_ID").and_then(dotted))
}

/// What `ufw.conf` says.
pub fn enabled_by_ufw(conf: &str) -> Option<bool> {
    let value = conf.lines().rev().find_map(|line| line.trim().strip_prefix("ENABLED="))?;
    match value.trim_matches(|quote| quote == '"' || quote == '\'') {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

/// The device that `/` is mounted from, out of `/proc/self/mounts`. The last mount on `/` is the one that shows.
pub fn root_source(mounts: &str) -> Option<&str> {
    mounts.lines().rev().find_map(|line| {
        let mut fields = line.split(' ');
        let source = fields.next()?;
        (fields.next() == Some("/")).then_some(source)
    })
}

/// A value in an INI file.
pub fn section_value<'a>(text: &'a str, section: &str, name: &str) -> Option<&'a str> {
    let mut inside = false;
    let mut found = None;
    for line in text.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            inside = header.strip_suffix(']') == Some(section);
        } else if let (true, Some((key, value))) = (inside, line.split_once('='))
            && key.trim() == name
        {
            found = Some(value.trim());
        }
    }
    found
}
