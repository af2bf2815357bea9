//! Who may decide a line. A reviewer is a person, and never decides over what they could use themselves, under whatever name.

use std::collections::{BTreeMap, BTreeSet};

use countersign_model::{Review, ReviewLine, Reviewed, SubjectId, SubjectKind};

use crate::Administrator;
use crate::accounts::ActError;
use crate::world::View;

/// Which accounts have the same address: they are one person's. Made once for many questions.
#[derive(Debug)]
pub(super) struct Persons {
    by_address: BTreeMap<String, Vec<SubjectId>>,
}

impl Persons {
    pub(super) fn of(view: &View) -> Self {
        let mut by_address: BTreeMap<String, Vec<SubjectId>> = BTreeMap::new();
        for record in view.subjects().filter(|it| it.id().kind() == SubjectKind::Human) {
            if let Some(address) = record.email() {
                by_address.entry(address.to_lowercase()).or_default().push(record.id().clone());
            }
        }
        Self { by_address }
    }

    /// The people who are, or could speak through, `subject`: itself where it is a human, who answers for it, for whom it acts,
    /// who answers for its keys, and on; each with the other accounts of the same address.
    pub(super) fn behind(&self, administrator: &Administrator, subject: &SubjectId) -> BTreeSet<SubjectId> {
        let mut people = BTreeSet::new();
        let mut next = vec![subject.clone()];
        while let Some(one) = next.pop() {
            for person in administrator.everybody_behind(&one).into_iter().filter(|it| it.kind() == SubjectKind::Human)
            {
                if people.insert(person.clone()) {
                    let address = administrator.subject(&person).and_then(|it| it.email).map(|it| it.to_lowercase());
                    let others = address.and_then(|address| self.by_address.get(&address));
                    next.extend(others.into_iter().flatten().filter(|other| !people.contains(*other)).cloned());
                }
            }
        }
        people
    }

    /// Whether it is access of whoever is [behind](Self::behind) the reviewer. What everybody has is nobody's own.
    pub(super) fn is_own(
        &self,
        administrator: &Administrator,
        reviewer: &BTreeSet<SubjectId>,
        about: &Reviewed,
    ) -> bool {
        let Reviewed::Access(access) = about else { return false };
        let Some(subject) = &access.subject else { return false };
        !self.behind(administrator, subject).is_disjoint(reviewer)
    }
}

impl Administrator {
    /// Whether they may decide this line of an open review.
    pub fn may_decide(&self, review: &Review, line: &ReviewLine, subject: &SubjectId) -> bool {
        review.is_open(self.now())
            && line.verdict.is_none()
            && self.may_decide_all(review, std::slice::from_ref(line), subject).is_ok()
    }

    /// Open reviews that wait for them, the nearest deadline first, with the numbers of the lines.
    pub fn reviews_for(&self, subject: &SubjectId) -> Vec<(std::sync::Arc<Review>, Vec<u32>)> {
        let now = self.now();
        let mut waiting: Vec<_> = self
            .reviews()
            .into_iter()
            .filter(|review| review.is_open(now))
            .map(|review| {
                let mine = self.decidable(&review, subject);
                (review, mine)
            })
            .filter(|(_, lines)| !lines.is_empty())
            .collect();
        waiting.sort_by_key(|(review, _)| review.deadline);
        waiting
    }

    /// The lines of a review that they may decide now.
    pub fn decidable(&self, review: &Review, subject: &SubjectId) -> Vec<u32> {
        let view = self.0.world.view();
        if !review.is_open(self.now()) || subject.kind() != SubjectKind::Human || !view.is_active(subject) {
            return Vec::new();
        }
        let asked: Vec<&ReviewLine> =
            review.undecided().filter(|line| self.asked(&view, review, line).any(|it| it == subject)).collect();
        if asked.is_empty() {
            return Vec::new();
        }
        let persons = Persons::of(&view);
        let theirs = persons.behind(self, subject);
        let others = |line: &&&ReviewLine| !persons.is_own(self, &theirs, &line.about);
        asked.iter().filter(others).map(|line| line.number).collect()
    }

    /// Those who are named, while one of them is still there; otherwise whoever reviews where nobody else answers.
    fn asked<'r>(
        &self,
        view: &View,
        review: &'r Review,
        line: &'r ReviewLine,
    ) -> impl Iterator<Item = &'r SubjectId> + use<'r> {
        let named = line.reviewers.iter().any(|reviewer| view.is_active(reviewer));
        if named { line.reviewers.iter() } else { review.fallbacks.iter() }
    }

    /// INVARIANT: nobody decides a line that they are not asked about, or over access of their own. Who speaks through a
    /// service or an agent is whoever answers for it; who sits at the machine nobody can tell, so nobody decides from there.
    pub(super) fn may_decide_all(
        &self,
        review: &Review,
        lines: &[ReviewLine],
        actor: &SubjectId,
    ) -> Result<(), ActError> {
        let refused = |why: String| Err(ActError::Refused(why));
        let view = self.0.world.view();
        let people: BTreeSet<SubjectId> = match actor.kind() {
            SubjectKind::Human => BTreeSet::from([actor.clone()]),
            _ => self.everybody_behind(actor).into_iter().filter(|it| it.kind() == SubjectKind::Human).collect(),
        };
        if people.is_empty() {
            return refused(format!("a person decides, and nobody knows who {actor} is: use the pages"));
        }
        if let Some(gone) = people.iter().find(|person| !view.is_active(person)) {
            return refused(format!("{gone} is not active"));
        }
        let persons = Persons::of(&view);
        for person in &people {
            let theirs = persons.behind(self, person);
            for line in lines {
                let number = line.number;
                if !self.asked(&view, review, line).any(|it| it == person) {
                    return refused(format!("line {number} is not for {person} to decide"));
                }
                if persons.is_own(self, &theirs, &line.about) {
                    return refused(format!("line {number} is about access of {person}: somebody else decides it"));
                }
            }
        }
        Ok(())
    }
}
