//! Security descriptors of Active Directory in their binary form ([MS-DTYP] 2.4.6, [MS-ADTS] 5.1.3): who may do to an
//! object what an attacker wants.
//!
//! Where the exact answer would take the whole directory (a denial for one group against a permission for another one),
//! the permission stands: reach is told too large rather than too small, and the denial is counted as not weighed.

use crate::observation::{Kind, Relation};
use crate::sid;

/// Who may do what, and where in the list that stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Right {
    pub(super) trustee: String,
    pub(super) relation: Relation,
    pub(super) condition: Option<&'static str>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Rights {
    pub(super) rights: Vec<Right>,
    /// Denials for others than those whose permission was weighed against them.
    pub(super) unweighed: usize,
    /// The list of rights was not asked for.
    pub(super) without_list: bool,
}

#[derive(Debug)]
struct Ace {
    allows: bool,
    conditional: bool,
    flags: u8,
    mask: u32,
    object: Option<String>,
    inherited_for: Option<String>,
    trustee: String,
}

/// Identifiers of attributes that hold passwords of devices: each forest has its own, told by its schema.
pub(super) type LocalPasswords = [String];

const EVERYONE: &str = "S-1-1-0";
/// Self, creator owner and group, the system: they are nobody that an attacker could be without having the object.
const NOBODY: [&str; 4] = ["S-1-5-10", "S-1-3-0", "S-1-3-1", "S-1-5-18"];
const OWNER_RIGHTS: &str = "S-1-3-4";

mod mask {
    pub(super) const SELF_WRITE: u32 = 0x8;
    pub(super) const WRITE: u32 = 0x20;
    pub(super) const CONTROL: u32 = 0x100;
    pub(super) const WRITE_PERMISSIONS: u32 = 0x4_0000;
    pub(super) const WRITE_OWNER: u32 = 0x8_0000;
    /// Every right that an object of a directory has.
    pub(super) const FULL: u32 = 0xf_01ff;
    pub(super) const GENERIC_ALL: u32 = 0x1000_0000;
    pub(super) const GENERIC_WRITE: u32 = 0x4000_0000;
}

mod object {
    pub(super) const MEMBER: &str = "BF9679C0-0DE6-11D0-A285-00AA003049E2";
    /// The property set that `member` is in.
    pub(super) const MEMBERSHIP: &str = "BC0AC240-79A9-11D0-9020-00C04FC2D4CF";
    pub(super) const SERVICE_PRINCIPAL: &str = "F3A64788-5306-11D1-A9C5-0000F80367C1";
    /// The property set that `servicePrincipalName` is in.
    pub(super) const PUBLIC_INFORMATION: &str = "E48D0154-BCF8-11D1-8702-00C04FB96050";
    pub(super) const ALLOWED_TO_ACT: &str = "3F78C3E5-F79A-46BD-A0B8-9D18116DDC79";
    pub(super) const KEY_CREDENTIAL: &str = "5B47D60F-6090-40B2-9F37-2A4DE88F3063";
    pub(super) const ACCOUNT_RESTRICTIONS: &str = "4C164200-20C0-11D0-A768-00AA006E0529";
    pub(super) const GROUP_POLICY_LINK: &str = "F30E3BBE-9FF0-11D1-B603-0000F80367C1";
    pub(super) const RESET_PASSWORD: &str = "00299570-246D-11D0-A768-00AA006E0529";
    pub(super) const GET_CHANGES: &str = "1131F6AA-9C07-11D1-F79F-00C04FC2DCD2";
    pub(super) const GET_CHANGES_ALL: &str = "1131F6AD-9C07-11D1-F79F-00C04FC2DCD2";
    pub(super) const GET_CHANGES_FILTERED: &str = "89E95B76-444D-4C62-991A-0FACBEDA640C";
    pub(super) const ENROLL: &str = "0E10C968-78FB-11D2-90D4-00C04F79DC55";
    pub(super) const USER: &str = "BF967ABA-0DE6-11D0-A285-00AA003049E2";
    pub(super) const PERSON: &str = "4828CC14-1437-45BC-9B07-AD6F015E5F28";
    pub(super) const COMPUTER: &str = "BF967A86-0DE6-11D0-A285-00AA003049E2";
    pub(super) const GROUP: &str = "BF967A9C-0DE6-11D0-A285-00AA003049E2";
    pub(super) const UNIT: &str = "BF967AA5-0DE6-11D0-A285-00AA003049E2";
    pub(super) const CONTAINER: &str = "BF967A8B-0DE6-11D0-A285-00AA003049E2";
    pub(super) const DOMAIN: &str = "19195A5B-6DA0-11D0-AFD3-00C04FD930C9";
    pub(super) const POLICY: &str = "F30E3BC2-9FF0-11D1-B603-0000F80367C1";
    pub(super) const MANAGED_ACCOUNT: &str = "7B8B558A-93A5-4AF7-ADCA-C017E67F1057";
}

/// Whether rights that are inherited by objects of `class` are for objects of this kind.
fn of_kind(class: &str, kind: Kind) -> bool {
    match class {
        object::USER | object::PERSON => kind == Kind::Account,
        object::COMPUTER => kind == Kind::Device,
        object::GROUP => kind == Kind::Group,
        object::UNIT | object::CONTAINER => kind == Kind::Container,
        object::DOMAIN => kind == Kind::Scope,
        object::POLICY => kind == Kind::Policy,
        object::MANAGED_ACCOUNT => kind == Kind::Service,
        // A class that is not known here, such as one of a later schema: told too large rather than too small.
        _ => true,
    }
}

/// Who has power over an object of this kind. `None`: no security descriptor.
pub(super) fn rights(bytes: &[u8], kind: Kind, local_passwords: &LocalPasswords) -> Option<Rights> {
    let (owner, list) = parse(bytes)?;
    let mut found = Rights::default();
    let mut add = |trustee: &str, relation, condition| {
        let right = Right { trustee: trustee.to_owned(), relation, condition };
        if !NOBODY.contains(&trustee) && trustee != OWNER_RIGHTS && !found.rights.contains(&right) {
            found.rights.push(right);
        }
    };
    let aces = match list {
        List::NotAsked => &[][..],
        // No list at all: everybody may do everything.
        List::Null => {
            add(EVERYONE, Relation::FullControl, None);
            &[]
        }
        List::Aces(ref aces) => aces,
    };
    let limited = aces.iter().any(|ace| ace.trustee == OWNER_RIGHTS);
    if let Some(owner) = owner {
        add(&owner, Relation::Owns, limited.then_some("limited by rights of the owner that the object names"));
    }
    let mut unweighed = 0;
    for (index, ace) in aces.iter().enumerate() {
        if !applies(ace, kind) || !ace.allows {
            continue;
        }
        let mut mask = expand(ace.mask);
        for denial in aces.iter().take(index).filter(|denial| !denial.allows && applies(denial, kind)) {
            let same_object = denial.object.is_none() || denial.object == ace.object;
            if !same_object || denial.conditional {
                continue;
            }
            if denial.trustee == ace.trustee || denial.trustee == EVERYONE {
                mask &= !expand(denial.mask);
            } else if mask & expand(denial.mask) != 0 {
                unweighed += 1;
            }
        }
        let condition = ace.conditional.then_some("a condition on claims that is not evaluated");
        for relation in relations(mask, ace.object.as_deref(), kind, local_passwords) {
            add(&ace.trustee, relation, condition);
        }
    }
    found.unweighed = unweighed;
    found.without_list = matches!(list, List::NotAsked);
    Some(found)
}

/// Everybody whom a descriptor that guards nothing but one act lets do it.
pub(super) fn trustees(bytes: &[u8]) -> Option<Vec<String>> {
    let (_, list) = parse(bytes)?;
    let List::Aces(aces) = list else { return Some(Vec::new()) };
    Some(aces.into_iter().filter(|ace| ace.allows).map(|ace| ace.trustee).collect())
}

fn applies(ace: &Ace, kind: Kind) -> bool {
    const INHERIT_ONLY: u8 = 0x8;
    const INHERITED: u8 = 0x10;
    ace.flags & INHERIT_ONLY == 0
        && (ace.flags & INHERITED == 0 || ace.inherited_for.as_deref().is_none_or(|class| of_kind(class, kind)))
}

fn expand(mask: u32) -> u32 {
    let mut expanded = mask;
    if mask & mask::GENERIC_ALL != 0 {
        expanded |= mask::FULL;
    }
    if mask & mask::GENERIC_WRITE != 0 {
        expanded |= mask::WRITE | mask::SELF_WRITE;
    }
    expanded
}

fn relations(mask: u32, object: Option<&str>, kind: Kind, local_passwords: &LocalPasswords) -> Vec<Relation> {
    use Relation as R;
    let has = |bit: u32| mask & bit != 0;
    let mut found = Vec::new();
    if object.is_none() && mask & mask::FULL == mask::FULL {
        return vec![R::FullControl];
    }
    if has(mask::WRITE_PERMISSIONS) {
        found.push(R::WritePermissions);
    }
    if has(mask::WRITE_OWNER) {
        found.push(R::WriteOwner);
    }
    if has(mask::WRITE) {
        found.extend(match (object, kind) {
            (None, _) => Some(R::WriteAttributes),
            (Some(object::MEMBER | object::MEMBERSHIP), Kind::Group) => Some(R::AddMember),
            (
                Some(object::SERVICE_PRINCIPAL | object::PUBLIC_INFORMATION),
                Kind::Account | Kind::Service | Kind::Device,
            ) => Some(R::WriteServicePrincipal),
            (Some(object::ALLOWED_TO_ACT), Kind::Device) => Some(R::WriteDelegation),
            (Some(object::KEY_CREDENTIAL), Kind::Account | Kind::Device) => Some(R::AddKeyCredential),
            (Some(object::ACCOUNT_RESTRICTIONS), Kind::Device) => Some(R::WriteAccountRestrictions),
            (Some(object::GROUP_POLICY_LINK), Kind::Container | Kind::Scope) => Some(R::WriteGroupPolicyLink),
            _ => None,
        });
    }
    if has(mask::SELF_WRITE) && kind == Kind::Group && matches!(object, None | Some(object::MEMBER)) {
        found.push(R::AddSelf);
    }
    if has(mask::CONTROL) {
        found.extend(match (object, kind) {
            (None, Kind::Account | Kind::Service | Kind::Device | Kind::Scope | Kind::Policy) => {
                Some(R::AllExtendedRights)
            }
            (Some(object::RESET_PASSWORD), Kind::Account | Kind::Device) => Some(R::ResetPassword),
            (Some(object::GET_CHANGES), Kind::Scope) => Some(R::GetChanges),
            (Some(object::GET_CHANGES_ALL), Kind::Scope) => Some(R::GetChangesAll),
            (Some(object::GET_CHANGES_FILTERED), Kind::Scope) => Some(R::GetChangesFiltered),
            (Some(object::ENROLL), Kind::Policy | Kind::Resource) => Some(R::Enroll),
            (Some(object), Kind::Device) if local_passwords.iter().any(|known| known == object) => {
                Some(R::ReadLocalPassword)
            }
            _ => None,
        });
    }
    found
}

enum List {
    NotAsked,
    Null,
    Aces(Vec<Ace>),
}

fn parse(bytes: &[u8]) -> Option<(Option<String>, List)> {
    const LIST_PRESENT: u16 = 0x4;
    const SELF_RELATIVE: u16 = 0x8000;
    let [1, _, control @ ..] = bytes else { return None };
    let control = u16::from_le_bytes(*control.first_chunk()?);
    if control & SELF_RELATIVE == 0 {
        return None;
    }
    let offset = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?) as usize);
    let owner = match offset(4)? {
        0 => None,
        at => Some(sid::from_bytes(bytes.get(at..)?)?.0),
    };
    let list = match offset(16)? {
        _ if control & LIST_PRESENT == 0 => List::NotAsked,
        0 => List::Null,
        at => List::Aces(aces(bytes.get(at..)?)?),
    };
    Some((owner, list))
}

fn aces(bytes: &[u8]) -> Option<Vec<Ace>> {
    let [_, _, size, size_high, count, count_high, _, _, ..] = bytes else { return None };
    let size = usize::from(u16::from_le_bytes([*size, *size_high]));
    let count = u16::from_le_bytes([*count, *count_high]);
    let mut rest = bytes.get(8..size)?;
    let mut aces = Vec::new();
    for _ in 0..count {
        let [kind, flags, size, size_high, body @ ..] = rest else { return None };
        let size = usize::from(u16::from_le_bytes([*size, *size_high]));
        let body = body.get(..size.checked_sub(4)?)?;
        rest = rest.get(size..)?;
        let (allows, of_object, conditional) = match kind {
            0x00 => (true, false, false),
            0x01 => (false, false, false),
            0x05 => (true, true, false),
            0x06 => (false, true, false),
            0x09 => (true, false, true),
            0x0a => (false, false, true),
            0x0b => (true, true, true),
            0x0c => (false, true, true),
            // Audits and labels give nothing.
            _ => continue,
        };
        let (mask, body) = body.split_first_chunk()?;
        let (object, inherited_for, body) = if of_object { of_objects(body)? } else { (None, None, body) };
        let trustee = sid::from_bytes(body)?.0;
        let mask = u32::from_le_bytes(*mask);
        aces.push(Ace { allows, conditional, flags: *flags, mask, object, inherited_for, trustee });
    }
    Some(aces)
}

type OfObjects<'b> = (Option<String>, Option<String>, &'b [u8]);

fn of_objects(body: &[u8]) -> Option<OfObjects<'_>> {
    let (present, mut body) = body.split_first_chunk()?;
    let present = u32::from_le_bytes(*present);
    let mut guid = |bit: u32| {
        if present & bit == 0 {
            return Some(None);
        }
        let (bytes, rest) = body.split_first_chunk::<16>()?;
        body = rest;
        Some(Some(sid::guid(bytes)?))
    };
    let (object, inherited) = (guid(1)?, guid(2)?);
    Some((object, inherited, body))
}
