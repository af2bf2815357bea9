//! What a server says of itself (RFC 4512, 5.1; [MS-ADTS] 3.1.1.3.2): what it is, what it holds, and how far its
//! changes are counted.

use crate::entry::Entry;
use crate::limits::{ReadFault, Spent};
use crate::wire::{Connection, Stream};

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Root {
    ActiveDirectory(ActiveDirectory),
    Other { bases: Vec<String> },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ActiveDirectory {
    pub(crate) domain: Option<String>,
    pub(crate) configuration: Option<String>,
    pub(crate) schema: Option<String>,
    /// The controller's database, and its newest change. A database that was restored is another one.
    pub(crate) changes: Option<(String, u64)>,
}

/// Of the naming contexts of a server those that hold no people: its own settings and logs.
const OF_THE_SERVER: [&str; 4] = ["cn=config", "cn=monitor", "cn=changelog", "cn=accesslog"];

impl Root {
    pub(crate) fn ask<S: Stream>(connection: &mut Connection<S>, spent: &mut Spent<'_>) -> Result<Self, ReadFault> {
        const IS_ACTIVE_DIRECTORY: &str = "1.2.840.113556.1.4.800";
        let asked = [
            "configurationNamingContext",
            "defaultNamingContext",
            "dsServiceName",
            "highestCommittedUSN",
            "namingContexts",
            "schemaNamingContext",
            "supportedCapabilities",
        ];
        let root = connection.entry(spent, "", &asked)?.unwrap_or_else(|| Entry::new(""));
        if !root.texts("supportedcapabilities").any(|capability| capability == IS_ACTIVE_DIRECTORY) {
            let of_people = |base: &&str| !OF_THE_SERVER.iter().any(|own| own.eq_ignore_ascii_case(base));
            return Ok(Self::Other {
                bases: root.texts("namingcontexts").filter(of_people).map(str::to_owned).collect(),
            });
        }
        let text = |name: &str| root.text(name).map(str::to_owned);
        let database = match root.text("dsservicename") {
            None => None,
            Some(service) => connection.entry(spent, service, &["invocationId"])?,
        };
        let database = database.as_ref().and_then(|service| service.first("invocationid")).map(hex::encode);
        let newest = root.text("highestcommittedusn").and_then(|newest| newest.parse().ok());
        Ok(Self::ActiveDirectory(ActiveDirectory {
            domain: text("defaultnamingcontext"),
            configuration: text("configurationnamingcontext"),
            schema: text("schemanamingcontext"),
            changes: database.zip(newest),
        }))
    }
}
