//! One adapter per kind of source. Each turns its records into rows and knows nothing of the others.

pub(crate) mod aws;
pub(crate) mod bloodhound;
pub(crate) mod countersign;
pub(crate) mod document;
pub(crate) mod entra;
pub(crate) mod github;
pub(crate) mod google;
pub(crate) mod graph_lines;
pub(crate) mod hosts;
pub(crate) mod kubernetes;
pub(crate) mod ldif;
pub(crate) mod okta;
pub(crate) mod people;
pub(crate) mod sharphound;
pub(crate) mod table;
