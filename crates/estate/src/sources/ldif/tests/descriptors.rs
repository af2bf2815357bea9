//! Binary security descriptors, built here byte by byte from their specification.

use proptest::prelude::*;

use super::super::descriptor::{rights, trustees};
use super::binary_sid;
use crate::{Kind, Relation};

const ANA: &str = "S-1-5-21-1-2-3-1101";
const BEN: &str = "S-1-5-21-1-2-3-1102";
const EVERYONE: &str = "S-1-1-0";

const MEMBER: &str = "BF9679C0-0DE6-11D0-A285-00AA003049E2";
const RESET: &str = "00299570-246D-11D0-A768-00AA006E0529";
const USER: &str = "BF967ABA-0DE6-11D0-A285-00AA003049E2";
const GROUP: &str = "BF967A9C-0DE6-11D0-A285-00AA003049E2";

#[derive(Clone, Copy)]
struct Ace<'a> {
    kind: u8,
    flags: u8,
    mask: u32,
    object: Option<&'a str>,
    inherited: Option<&'a str>,
    trustee: &'a str,
}

const fn allow(mask: u32, trustee: &str) -> Ace<'_> {
    Ace { kind: 0, flags: 0, mask, object: None, inherited: None, trustee }
}

const fn deny(mask: u32, trustee: &str) -> Ace<'_> {
    Ace { kind: 1, ..allow(mask, trustee) }
}

const fn allow_object<'a>(mask: u32, object: &'a str, trustee: &'a str) -> Ace<'a> {
    Ace { kind: 5, object: Some(object), ..allow(mask, trustee) }
}

fn binary_guid(text: &str) -> Vec<u8> {
    let bytes = hex::decode(text.replace('-', "")).unwrap();
    [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15].iter().map(|index| bytes[*index]).collect()
}

fn descriptor(owner: &str, aces: Option<&[Ace<'_>]>) -> Vec<u8> {
    let mut list = Vec::new();
    for ace in aces.unwrap_or_default() {
        let mut body = ace.mask.to_le_bytes().to_vec();
        if ace.kind >= 5 {
            let present = u32::from(ace.object.is_some()) | u32::from(ace.inherited.is_some()) << 1;
            body.extend(present.to_le_bytes());
            body.extend(ace.object.iter().chain(&ace.inherited).flat_map(|guid| binary_guid(guid)));
        }
        body.extend(binary_sid(ace.trustee));
        let size = u16::try_from(body.len() + 4).unwrap();
        list.extend([ace.kind, ace.flags]);
        list.extend(size.to_le_bytes());
        list.extend(body);
    }
    let owner = binary_sid(owner);
    let mut bytes = vec![1, 0, 0x04, 0x80];
    let at = |offset: usize| u32::try_from(offset).unwrap().to_le_bytes();
    bytes.extend(at(20));
    bytes.extend(at(0));
    bytes.extend(at(0));
    bytes.extend(at(if aces.is_some() { 20 + owner.len() } else { 0 }));
    bytes.extend(owner);
    if let Some(aces) = aces {
        bytes.extend([4, 0]);
        bytes.extend(u16::try_from(list.len() + 8).unwrap().to_le_bytes());
        bytes.extend(u16::try_from(aces.len()).unwrap().to_le_bytes());
        bytes.extend([0, 0]);
        bytes.extend(list);
    }
    bytes
}

/// Who may do what, but for the owner.
#[track_caller]
fn check(kind: Kind, aces: &[Ace<'_>], expect: &[(&str, Relation)]) {
    let found = rights(&descriptor("S-1-5-18", Some(aces)), kind, &[]).unwrap();
    let found: Vec<(&str, Relation)> =
        found.rights.iter().map(|right| (right.trustee.as_str(), right.relation)).collect();
    assert_eq!(found, expect);
}

#[test]
fn masks_mean_what_an_attacker_does_with_them() {
    use Relation as R;
    check(Kind::Account, &[allow(0x000f_01ff, ANA)], &[(ANA, R::FullControl)]);
    check(Kind::Account, &[allow(0x1000_0000, ANA)], &[(ANA, R::FullControl)]);
    check(Kind::Account, &[allow(0x0002_0094, ANA)], &[]);
    check(Kind::Account, &[allow(0x20, ANA)], &[(ANA, R::WriteAttributes)]);
    check(Kind::Account, &[allow(0x4000_0000, ANA)], &[(ANA, R::WriteAttributes)]);
    check(Kind::Group, &[allow(0x4000_0000, ANA)], &[(ANA, R::WriteAttributes), (ANA, R::AddSelf)]);
    check(Kind::Account, &[allow(0xc_0000, ANA)], &[(ANA, R::WritePermissions), (ANA, R::WriteOwner)]);
    check(Kind::Account, &[allow(0x100, ANA)], &[(ANA, R::AllExtendedRights)]);
    check(Kind::Group, &[allow(0x100, ANA)], &[]);
    check(Kind::Account, &[allow_object(0x100, RESET, ANA)], &[(ANA, R::ResetPassword)]);
    check(Kind::Group, &[allow_object(0x20, MEMBER, ANA)], &[(ANA, R::AddMember)]);
    check(Kind::Group, &[allow_object(0x8, MEMBER, ANA)], &[(ANA, R::AddSelf)]);
    check(Kind::Account, &[allow_object(0x20, MEMBER, ANA)], &[]);
    let password = "11111111-2222-3333-4444-555555555555".to_owned();
    let read = descriptor("S-1-5-18", Some(&[allow_object(0x110, &password, ANA)]));
    assert_eq!(rights(&read, Kind::Device, &[]).unwrap().rights, []);
    assert_eq!(rights(&read, Kind::Device, &[password]).unwrap().rights[0].relation, Relation::ReadLocalPassword);
}

#[test]
fn inheritance_is_for_the_class_that_it_names() {
    let inherited = Ace { flags: 0x10, inherited: Some(USER), ..allow_object(0x100, RESET, ANA) };
    check(Kind::Account, &[inherited], &[(ANA, Relation::ResetPassword)]);
    let full = Ace { kind: 5, flags: 0x10, inherited: Some(GROUP), ..allow(0xf_01ff, ANA) };
    check(Kind::Group, &[full], &[(ANA, Relation::FullControl)]);
    check(Kind::Account, &[full], &[]);
    let for_children = Ace { flags: 0x0a, ..allow(0xf_01ff, ANA) };
    check(Kind::Container, &[for_children], &[]);
}

#[test]
fn a_denial_before_takes_away_and_one_after_does_not() {
    use Relation as R;
    check(Kind::Account, &[deny(0xf_01ff, ANA), allow(0xf_01ff, ANA)], &[]);
    check(Kind::Account, &[deny(0x4_0000, ANA), allow(0xc_0000, ANA)], &[(ANA, R::WriteOwner)]);
    check(Kind::Account, &[allow(0xf_01ff, ANA), deny(0xf_01ff, ANA)], &[(ANA, R::FullControl)]);
    check(Kind::Account, &[deny(0x20, EVERYONE), allow(0x20, ANA)], &[]);
    let for_another = descriptor("S-1-5-18", Some(&[deny(0x20, BEN), allow(0x20, ANA)]));
    let found = rights(&for_another, Kind::Account, &[]).unwrap();
    assert_eq!((found.rights.len(), found.unweighed), (1, 1));
}

#[test]
fn owners_and_lists_that_are_not_there() {
    let owned = rights(&descriptor(ANA, Some(&[])), Kind::Group, &[]).unwrap();
    assert_eq!((owned.rights[0].relation, owned.rights[0].condition), (Relation::Owns, None));
    let limited = rights(&descriptor(ANA, Some(&[allow(0x2_0000, "S-1-3-4")])), Kind::Group, &[]).unwrap();
    assert!(limited.rights[0].condition.is_some());
    let open = rights(&descriptor("S-1-5-18", None), Kind::Group, &[]).unwrap();
    assert_eq!((open.rights[0].trustee.as_str(), open.rights[0].relation), (EVERYONE, Relation::FullControl));
    let mut not_asked = descriptor(ANA, None);
    not_asked[2] = 0;
    assert!(rights(&not_asked, Kind::Group, &[]).unwrap().without_list);
    let condition = Ace { kind: 9, ..allow(0xf_01ff, ANA) };
    let mut bytes = descriptor("S-1-5-18", Some(&[Ace { kind: 0, ..condition }]));
    let ace = bytes.len() - 4 - 4 - binary_sid(ANA).len();
    bytes[ace] = 9;
    assert!(rights(&bytes, Kind::Group, &[]).unwrap().rights[0].condition.is_some());
    assert_eq!(trustees(&descriptor(ANA, Some(&[allow(1, BEN), deny(1, ANA)]))).unwrap(), [BEN]);
}

#[test]
fn a_cut_descriptor_is_none() {
    let whole = descriptor(ANA, Some(&[allow(0xf_01ff, ANA), allow_object(0x100, RESET, BEN)]));
    for length in 0..whole.len() {
        assert_eq!(rights(&whole[..length], Kind::Account, &[]), None, "{length}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_descriptor_or_none(mut bytes in prop::collection::vec(any::<u8>(), 0..200), like in any::<bool>()) {
        if like && bytes.len() > 20 {
            bytes[0] = 1;
            bytes[3] |= 0x80;
            bytes[4..8].copy_from_slice(&[20, 0, 0, 0]);
        }
        let _ = rights(&bytes, Kind::Account, &[]);
        let _ = trustees(&bytes);
    }
}
