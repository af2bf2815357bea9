//! One question put for a whole [`Population`]: what comes to the same is answered once. For each thing that is asked
//! for, the plan is narrowed to what is left of it there; where that is the same as elsewhere, so is all that follows.
//! Then it is narrowed to what is left for each class of subjects: mostly nothing, or a few conditions on the circumstances
//! alone, the same for nearly everybody. Those are evaluated, once for all to whom they apply. Where the plan cannot be
//! taken apart like this (Cedar's evaluator has to help), a class is decided as a whole, by the plan that decides live
//! requests.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use countersign_model::{Action, Circumstances, SubjectKind};

use super::classes::{ROLES, resource};
use super::{Of, Population, Profile, Situation, Sufficient, Terrain, Wanted, Way};
use crate::decide::Verdict;
use crate::evaluate::Code;
use crate::facts::{Fact, View};
use crate::plan::{Condition, Number, Plan, Step};
use crate::records::{ResourceRecord, Shape, SubjectRecord};
use crate::reduce::Open;
use crate::set::PolicySet;
use crate::symbols::Symbol;
use crate::value::Uncovered;

/// What a [`Terrain`] has the steps of.
const CIRCUMSTANCES: [Fact; 21] = [
    Fact::Authentication,
    Fact::Methods,
    Fact::PhishingResistant,
    Fact::MultiFactor,
    Fact::AuthenticationAge,
    Fact::Device,
    Fact::DeviceId,
    Fact::Managed,
    Fact::Compliant,
    Fact::PostureAge,
    Fact::Address,
    Fact::Zones,
    Fact::Encrypted,
    Fact::Hour,
    Fact::Weekday,
    Fact::Grant,
    Fact::GrantId,
    Fact::GrantClass,
    Fact::GrantExpires,
    Fact::Exception,
    Fact::ExceptionRelaxes,
];

/// What in the circumstances depends on who asks.
const PERSONAL: [Fact; 6] = [
    Fact::Risk,
    Fact::Authentication,
    Fact::Methods,
    Fact::PhishingResistant,
    Fact::MultiFactor,
    Fact::AuthenticationAge,
];

/// A question put for everybody, and what was found so far. May be asked from several threads.
pub struct Survey<'p, 'a, T> {
    population: &'p Population<'a>,
    of: Of,
    situation: &'p Situation,
    /// What the answer is about, and so is not known before.
    open: Open,
    find: Box<dyn Fn(&Case<'_>) -> T + Send + Sync + 'p>,
    sorts: Mutex<HashMap<SortKey, Arc<Sort>>>,
    forms: RwLock<Forms<T>>,
}

/// Those who get the same answer, for one thing that is asked for.
#[derive(Debug)]
pub struct Classes {
    /// The class of each asker.
    of: Vec<u32>,
    /// The form of each class.
    forms: Vec<u32>,
}

impl Classes {
    /// How many there are.
    pub const fn len(&self) -> usize {
        self.forms.len()
    }

    pub const fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    /// The class of each asker, in the order of the population.
    pub fn of(&self) -> &[u32] {
        &self.of
    }

    /// For each asker what was found for its class.
    pub fn spread<'t, T>(&'t self, found: &'t [T]) -> impl Iterator<Item = &'t T> {
        self.of.iter().filter_map(|class| found.get(*class as usize))
    }
}

/// Things that are alike: what is left of the plans there is the same.
#[derive(PartialEq, Eq, Hash)]
struct SortKey {
    action: Action,
    /// Who counts there and not everywhere.
    here: Vec<Symbol>,
    /// By kind of subject.
    left: Vec<Vec<Step>>,
}

struct Sort {
    plans: Vec<(SubjectKind, Plan)>,
    /// The form of each common class, by role; [`UNSETTLED`] where nobody has asked.
    by_role: [OnceLock<Box<[AtomicU32]>>; ROLES],
    /// Of those who have to do with what counts there only.
    more: Mutex<HashMap<(u32, u8, u32), u32>>,
}

const UNSETTLED: u32 = u32::MAX;

impl Sort {
    fn new(plans: Vec<(SubjectKind, Plan)>) -> Self {
        Self { plans, by_role: [const { OnceLock::new() }; ROLES], more: Mutex::default() }
    }

    /// The form of a class, found by `settle` where it is not known.
    fn form(&self, commons: usize, (common, role, more): (u32, u8, u32), settle: impl FnOnce() -> u32) -> u32 {
        if more != 0 {
            let mut known = self.more.lock().unwrap_or_else(PoisonError::into_inner);
            return *known.entry((common, role, more)).or_insert_with(settle);
        }
        let row = self.by_role.get(usize::from(role)).map(|row| {
            row.get_or_init(|| std::iter::repeat_with(|| AtomicU32::new(UNSETTLED)).take(commons).collect())
        });
        let Some(cell) = row.and_then(|row| row.get(common as usize)) else { return settle() };
        let known = cell.load(Ordering::Relaxed);
        if known != UNSETTLED {
            return known;
        }
        // Two threads may settle it at once: to the same answer.
        let form = settle();
        cell.store(form, Ordering::Relaxed);
        form
    }
}

struct Forms<T> {
    all: Vec<Arc<Form<T>>>,
    by_formula: HashMap<Arc<Formula>, u32>,
}

/// The form of whoever is allowed nothing, whatever the circumstances.
const NEVER: u32 = 0;

/// What it comes to for some, and the answer once it is asked for.
struct Form<T> {
    left: Left,
    /// One of them, and what was asked for.
    asker: u32,
    at: usize,
    answer: OnceLock<T>,
}

enum Left {
    Never,
    Formula(Arc<Formula>),
    /// Only the whole plan can tell, for one of them as for all.
    Whole,
}

/// Conditions on nothing but what is open.
#[derive(PartialEq, Eq, Hash, Debug)]
struct Formula {
    /// What sign-in there is for them.
    profile: Profile,
    /// What a grant is for.
    action: Action,
    permits: Vec<Code>,
    forbids: Vec<Code>,
}

impl Formula {
    fn allows(&self, view: &View<'_>) -> Result<bool, Uncovered> {
        Ok(!any(&self.forbids, view)? && any(&self.permits, view)?)
    }
}

fn any(conditions: &[Code], view: &View<'_>) -> Result<bool, Uncovered> {
    for condition in conditions {
        if condition.test(view)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// One of those who share a form, to be decided under any circumstances for all of them.
struct Case<'c> {
    set: &'c PolicySet,
    subject: &'c SubjectRecord,
    resource: &'c ResourceRecord,
    profile: Profile,
    action: Action,
    formula: Option<&'c Formula>,
    /// To begin with.
    circumstances: Circumstances,
}

impl Case<'_> {
    fn view<'v>(&'v self, circumstances: &'v Circumstances) -> View<'v> {
        let Self { set, subject, resource, .. } = *self;
        View { subject, resource, circumstances, session: None, symbols: &set.symbols }
    }

    // What fails, or is not modelled, fails for all of them alike: what it was reduced from differs in nothing that is
    // open. So Cedar's word on one of them holds for all.
    fn allowed(&self, circumstances: &Circumstances) -> bool {
        let view = self.view(circumstances);
        let told = self.formula.and_then(|formula| formula.allows(&view).ok());
        told.unwrap_or_else(|| self.set.engine().verdict(&view, self.action) == Verdict::Allow)
    }

    fn permitted(&self, circumstances: &Circumstances) -> bool {
        let view = self.view(circumstances);
        let told = self.formula.and_then(|formula| any(&formula.permits, &view).ok());
        told.unwrap_or_else(|| self.set.engine().outcome(&view, self.action).permitted())
    }
}

impl<'a> Population<'a> {
    /// Whether they are allowed it under these circumstances.
    pub fn under<'p>(&'p self, situation: &'p Situation) -> Survey<'p, 'a, bool> {
        Survey::new(self, Of::All, situation, Open::new(&[]), |case| case.allowed(&case.circumstances))
    }

    /// The weakest circumstances under which they are; none where there are none.
    pub fn sufficient<'p>(&'p self, terrain: &'p Terrain) -> Survey<'p, 'a, Arc<[Sufficient]>> {
        Survey::new(self, Of::All, terrain.situation(), Open::new(&CIRCUMSTANCES), |case| {
            let allowed = |circumstances: &Circumstances| case.allowed(circumstances);
            Arc::from(terrain.weakest(case.profile, case.action, &case.circumstances, allowed))
        })
    }

    /// The first way in which some permit holds for them, under any circumstances at all; what forbids does not count.
    pub fn permitted<'p>(&'p self, terrain: &'p Terrain) -> Survey<'p, 'a, Option<Way>> {
        Survey::new(self, Of::Permits, terrain.situation(), Open::new(&CIRCUMSTANCES), |case| {
            let permitted = |circumstances: &Circumstances| case.permitted(circumstances);
            terrain.first_way(case.profile, case.action, &case.circumstances, permitted)
        })
    }
}

impl<'p, 'a, T: Clone + Default> Survey<'p, 'a, T> {
    fn new(
        population: &'p Population<'a>,
        of: Of,
        situation: &'p Situation,
        open: Open,
        find: impl Fn(&Case<'_>) -> T + Send + Sync + 'p,
    ) -> Self {
        let never = Form { left: Left::Never, asker: 0, at: 0, answer: OnceLock::new() };
        let forms = Forms { all: vec![Arc::new(never)], by_formula: HashMap::new() };
        let (sorts, forms) = (Mutex::default(), RwLock::new(forms));
        Self { population, of, situation, open, find: Box::new(find), sorts, forms }
    }

    /// Those who get the same answer for what is at this place among what is asked for.
    pub fn classes(&self, at: usize) -> Classes {
        let Population { common, commons, wanted, .. } = self.population;
        let mut classes = Classes { of: Vec::with_capacity(common.len()), forms: Vec::new() };
        let Some((wanted, resource)) = wanted.get(at).and_then(|wanted| Some((wanted, resource(wanted)?))) else {
            (classes.of, classes.forms) = (vec![0; common.len()], vec![NEVER]);
            return classes;
        };
        let related = self.population.related(resource);
        let sort = self.sort(wanted, resource, related.here);
        let mut places: Vec<u32> = Vec::new();
        for ((common, role), asker) in common.iter().zip(&related.roles).zip(0_u32..) {
            let more = if related.more.is_empty() { None } else { related.more.get(&asker).copied() };
            let class = (*common, *role, more.unwrap_or(0));
            let form = sort.form(*commons, class, || self.settle(&sort, asker, at));
            if places.len() <= form as usize {
                places.resize(form as usize + 1, UNSETTLED);
            }
            let Some(place) = places.get_mut(form as usize) else { continue };
            if *place == UNSETTLED {
                *place = u32::try_from(classes.forms.len()).unwrap_or(u32::MAX);
                classes.forms.push(form);
            }
            classes.of.push(*place);
        }
        classes
    }

    /// The answer for a class.
    pub fn answer(&self, classes: &Classes, class: usize) -> T {
        let Some(form) = classes.forms.get(class).and_then(|form| self.form(*form)) else { return T::default() };
        form.answer.get_or_init(|| self.find(&form).unwrap_or_default()).clone()
    }

    /// The answer for each class.
    pub fn answers(&self, classes: &Classes) -> Vec<T> {
        (0..classes.len()).map(|class| self.answer(classes, class)).collect()
    }

    fn form(&self, form: u32) -> Option<Arc<Form<T>>> {
        self.forms.read().unwrap_or_else(PoisonError::into_inner).all.get(form as usize).cloned()
    }

    fn find(&self, form: &Form<T>) -> Option<T> {
        let formula = match &form.left {
            Left::Never => return None,
            Left::Formula(formula) => Some(formula.as_ref()),
            Left::Whole => None,
        };
        let case = self.case(form.asker, form.at, formula)?;
        Some((self.find)(&case))
    }

    fn case<'c>(&'c self, asker: u32, at: usize, formula: Option<&'c Formula>) -> Option<Case<'c>> {
        let Population { set, askers, wanted, .. } = self.population;
        let (asker, wanted) = (askers.get(asker as usize)?, wanted.get(at)?);
        let (Shape::Subject(subject), Some(resource)) = (&asker.record.0, resource(wanted)) else { return None };
        let profile = Profile::of(set, subject);
        let circumstances = self.situation.of(asker, profile, wanted.http.as_ref());
        Some(Case { set, subject, resource, profile, action: wanted.action, formula, circumstances })
    }

    /// What is left of the plans where this is asked for.
    fn sort(&self, wanted: &Wanted<'_>, resource: &ResourceRecord, here: Vec<Symbol>) -> Arc<Sort> {
        let set = self.population.set;
        let mut circumstances = self.situation.circumstances.clone();
        circumstances.http.clone_from(&wanted.http);
        // Whoever asks is open, so nothing looks at this one.
        let whoever = SubjectRecord {
            kind: SubjectKind::Anonymous,
            symbol: Symbol::UNKNOWN,
            owner: None,
            acts_for: None,
            groups: Box::default(),
        };
        let view =
            View { subject: &whoever, resource, circumstances: &circumstances, session: None, symbols: &set.symbols };
        let open = self.open.and_principal(&PERSONAL);
        let counts = |policy: Number| self.of == Of::All || !set.forbids(policy);
        let kinds = self.population.kinds.iter();
        let plans: Vec<(SubjectKind, Plan)> = kinds
            .filter_map(|kind| Some((*kind, set.enforced.plan(*kind, wanted.action)?.narrowed(&view, open, counts))))
            .collect();
        let alike = plans.iter().flat_map(|(_, plan)| plan.conditions()).all(|condition| match condition {
            Condition::Always => true,
            Condition::Code(code) => code.asks_for_relations_only(resource.owner.is_some()),
            Condition::Cedar => false,
        });
        if !alike {
            return Arc::new(Sort::new(plans));
        }
        let left = plans.iter().map(|(_, plan)| plan.steps().to_vec()).collect();
        let key = SortKey { action: wanted.action, here, left };
        let mut sorts = self.sorts.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(sorts.entry(key).or_insert_with(|| Arc::new(Sort::new(plans))))
    }

    /// The form of an asker's class.
    fn settle(&self, sort: &Sort, asker: u32, at: usize) -> u32 {
        let left = self.left(sort, asker, at).unwrap_or(Left::Never);
        let formula = match &left {
            Left::Never => return NEVER,
            Left::Formula(formula) => Some(Arc::clone(formula)),
            Left::Whole => None,
        };
        let mut forms = self.forms.write().unwrap_or_else(PoisonError::into_inner);
        let Forms { all, by_formula } = &mut *forms;
        let add = || {
            let number = u32::try_from(all.len()).unwrap_or(UNSETTLED);
            all.push(Arc::new(Form { left, asker, at, answer: OnceLock::new() }));
            number
        };
        match formula {
            Some(formula) => *by_formula.entry(formula).or_insert_with(add),
            None => add(),
        }
    }

    fn left(&self, sort: &Sort, asker: u32, at: usize) -> Option<Left> {
        let case = self.case(asker, at, None)?;
        let view = case.view(&case.circumstances);
        let (_, plan) = sort.plans.iter().find(|(kind, _)| *kind == case.subject.kind)?;
        let (mut permits, mut forbids): (Conditions, Conditions) = Default::default();
        plan.applicable(&view, |policy, condition| {
            let left = match condition {
                Condition::Always => Some(Code::TRUE),
                Condition::Code(code) => Some(code.reduce(&view, self.open)),
                Condition::Cedar => None,
            };
            let of = if case.set.forbids(policy) { &mut forbids } else { &mut permits };
            of.push((policy, left));
        });
        forbids.retain(|(_, left)| *left != Some(Code::FALSE));
        // A permit that fails permits as little as one that does not hold.
        permits.retain(|(_, left)| !matches!(left, Some(code) if code.never_holds()));
        let certain = |conditions: &Conditions| conditions.iter().any(|(_, left)| *left == Some(Code::TRUE));
        if permits.is_empty() || certain(&forbids) {
            return Some(Left::Never);
        }
        if certain(&permits) {
            permits = vec![(0, Some(Code::TRUE))];
        }
        let (Some(permits), Some(forbids)) = (self.conditions(permits), self.conditions(forbids)) else {
            return Some(Left::Whole);
        };
        let Case { profile, action, .. } = case;
        Some(Left::Formula(Arc::new(Formula { profile, action, permits, forbids })))
    }

    /// Each once, in the order of the policies; `None` where one looks at more than what is open.
    fn conditions(&self, mut left: Conditions) -> Option<Vec<Code>> {
        left.sort_unstable_by_key(|(policy, _)| *policy);
        let mut conditions: Vec<Code> = Vec::new();
        for (_, code) in left {
            let code = code.filter(|code| code.is_about(self.open))?;
            if !conditions.contains(&code) {
                conditions.push(code);
            }
        }
        Some(conditions)
    }
}

/// `None` is left to Cedar.
type Conditions = Vec<(Number, Option<Code>)>;

impl<T> fmt::Debug for Survey<'_, '_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let forms = self.forms.read().unwrap_or_else(PoisonError::into_inner);
        write!(f, "Survey({} forms)", forms.all.len())
    }
}
