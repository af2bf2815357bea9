//! One adapter per kind of source. Each turns its records into rows and knows nothing of the others.

pub(crate) mod aws;
pub(crate) mod bloodhound;
pub(crate) mod graph_lines;
pub(crate) mod kubernetes;
pub(crate) mod ldif;
pub(crate) mod sharphound;
