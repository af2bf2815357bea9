//! Account authorization details of AWS IAM: users, groups, roles, their policies and whom roles trust, as what an attacker
//! can do with them: become a role, make a credential, change what is permitted, hand a role to a service.
//!
//! What this file does not say is not concluded: policies of the organisation (SCP), of resources and of sessions are
//! elsewhere and can only take away, so that reach is told too large rather than too small.

mod account;
mod policy;
mod powers;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::batch::Intake;
use crate::fault::{Cause, Fault};
use crate::json;
use crate::observation::Place;
use account::{Account, Lists};

/// Users, groups and roles of one account; AWS itself allows a tenth of it.
const MOST_PRINCIPALS: usize = 50_000;

#[derive(Deserialize)]
struct Page {
    #[serde(default, rename = "IsTruncated")]
    truncated: bool,
}

pub(crate) fn read(text: &str, intake: &mut Intake<'_, '_>) -> Result<(), Fault> {
    let page: Page = serde_json::from_str(text).map_err(|error| {
        let (cause, place) = json::fault(&error);
        intake.fault(cause, Some(place))
    })?;
    if page.truncated {
        let cause = Cause::malformed("one page of several; export all of them as one (the AWS CLI does so by itself)");
        return Err(intake.fault(cause, None));
    }
    let lists = Lists {
        users: list(text, &["UserDetailList"], intake)?,
        groups: list(text, &["GroupDetailList"], intake)?,
        roles: list(text, &["RoleDetailList"], intake)?,
        policies: list(text, &["Policies"], intake)?,
    };
    let accounts = Account::all(lists).map_err(|(cause, place)| intake.fault(cause, place))?;
    for account in &accounts {
        powers::take(intake, account).map_err(|(cause, place)| intake.fault(cause, place))?;
    }
    Ok(())
}

fn list<T: DeserializeOwned>(
    text: &str,
    path: &'static [&'static str],
    intake: &mut Intake<'_, '_>,
) -> Result<Vec<(Place, T)>, Fault> {
    let mut all = Vec::new();
    let read = json::each::<T>(text, path, &mut |index, record| {
        let place = Place::record(path.first().copied().unwrap_or_default(), index);
        let within = if all.len() < MOST_PRINCIPALS {
            intake.record()
        } else {
            Err(Cause::TooManyValues { limit: MOST_PRINCIPALS })
        };
        within.map_err(|cause| (cause, Some(place.clone())))?;
        all.push((place, record));
        Ok(())
    });
    read.map_err(|fault| json::located(intake.file_name(), fault))?;
    Ok(all)
}

#[cfg(test)]
mod tests;
