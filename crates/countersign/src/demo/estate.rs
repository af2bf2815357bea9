//! The example organisation: its configuration file, as a person would write it, and the applications behind it.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use super::application;

pub(super) struct Applications {
    website: SocketAddr,
    wiki: SocketAddr,
    payroll: SocketAddr,
    vault: SocketAddr,
}

impl Applications {
    pub(super) async fn start() -> std::io::Result<Self> {
        Ok(Self {
            website: application::start("Website").await?,
            wiki: application::start("Wiki").await?,
            payroll: application::start("Payroll").await?,
            vault: application::start("Vault").await?,
        })
    }
}

/// The usual port if nobody has it, otherwise whatever the system chooses.
fn port(usual: u16, free: bool) -> u16 {
    let untaken = !free && TcpListener::bind((Ipv4Addr::LOCALHOST, usual)).is_ok();
    if untaken { usual } else { 0 }
}

/// Writes the configuration file.
pub(super) fn write(directory: &Path, applications: &Applications, free_ports: bool) -> std::io::Result<PathBuf> {
    let mut text = format!(
        "version = 1\norganisation = \"Example\"\nproofs = \"off\"\ndata_directory = \"data\"\n\n\
         [listen]\nhttp = \"127.0.0.1:{}\"\nhttps = \"127.0.0.1:{}\"\noperations = \"127.0.0.1:{}\"\n",
        port(8080, free_ports),
        port(8443, free_ports),
        port(9090, free_ports),
    );
    text += "
[[segment]]
id = \"finance\"
name = \"Money and secrets\"

[[group]]
id = \"staff\"

[[group]]
id = \"finance\"
member_of = [\"staff\"]

[[group]]
id = \"reporting\"

[[subject]]
id = \"human:alice@example.org\"
name = \"Alice, finance\"
groups = [\"finance\"]

[[subject]]
id = \"human:bob@example.org\"
name = \"Bob, staff\"
groups = [\"staff\"]

[[subject]]
id = \"human:carol@example.org\"
name = \"Carol, finance, new laptop\"
groups = [\"finance\"]

[[subject]]
id = \"service:reporting\"
owner = \"human:alice@example.org\"
groups = [\"reporting\"]
";
    for (id, name, tier, address, rest) in [
        ("website", "Website", "public", applications.website, ""),
        ("wiki", "Wiki", "standard", applications.wiki, "writers = [\"staff\"]\n"),
        (
            "payroll",
            "Payroll",
            "high",
            applications.payroll,
            "segment = \"finance\"\nreaders = [\"reporting\"]\nwriters = [\"finance\"]\n",
        ),
        (
            "vault",
            "Vault",
            "crown-jewel",
            applications.vault,
            "segment = \"finance\"\nwriters = [\"finance\"]\nreaders = [\"reporting\"]\n",
        ),
    ] {
        let _ = write!(
            text,
            "\n[[resource]]\nid = \"{id}\"\nname = \"{name}\"\ntier = \"{tier}\"\nupstream = \"http://{address}\"\n{rest}"
        );
    }
    let file = directory.join("countersign.toml");
    std::fs::write(&file, text)?;
    Ok(file)
}
