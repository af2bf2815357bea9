//! One question and all of its answer: page after page (RFC 2696), and of attributes with more values than a server gives
//! at once, range after range ([MS-ADTS] 3.1.1.3.1.3.3).

use std::collections::HashSet;

use crate::entry::Entry;
use crate::filter::Filter;
use crate::limits::{ReadFault, Spent};
use crate::message::{Answer, NO_SUCH_OBJECT, Question, SUCCESS, Scope};
use crate::wire::{Connection, Stream};

/// Pages in a row that hold nothing and say that more follows.
const MOST_EMPTY_PAGES: u32 = 100;

impl<S: Stream> Connection<S> {
    /// Hands over each entry as it is complete. What is not there holds nothing.
    pub(crate) fn search(
        &mut self,
        spent: &mut Spent<'_>,
        question: &Question<'_>,
        take: &mut dyn FnMut(Entry),
    ) -> Result<(), ReadFault> {
        let asked: HashSet<String> = question.attributes.iter().map(|name| name.to_ascii_lowercase()).collect();
        let mut settled = |mut entry: Entry| {
            // What was not asked for is not taken: a server that gives passwords away does not give them to a mirror.
            entry.attributes.retain(|name, _| asked.contains(name));
            entry.settle();
            take(entry);
        };
        let mut cookie = Vec::new();
        let mut empty = 0;
        loop {
            let page = (question.scope == Scope::Subtree).then_some((spent.limits.page, cookie.as_slice()));
            self.ask(question, page)?;
            let mut unfinished = Vec::new();
            let before = spent.entries;
            cookie = loop {
                match self.receive()? {
                    Answer::Entry(entry) => {
                        spent.entry()?;
                        if entry.unfinished.is_empty() {
                            settled(entry);
                        } else {
                            unfinished.push(entry);
                        }
                    }
                    Answer::Referral => spent.referrals = spent.referrals.saturating_add(1),
                    Answer::Done(outcome, next) => match outcome.code {
                        SUCCESS => break next,
                        NO_SUCH_OBJECT => return Ok(()),
                        _ => return Err(outcome.refused("reading").into()),
                    },
                    Answer::Bound(_) | Answer::Extended(_) => return Err(crate::wire::WireFault::Unexpected.into()),
                }
            };
            for entry in unfinished {
                let entry = self.finish(spent, question, entry)?;
                settled(entry);
            }
            empty = if spent.entries == before { empty + 1 } else { 0 };
            if cookie.is_empty() || question.scope == Scope::Entry {
                return Ok(());
            }
            if empty > MOST_EMPTY_PAGES {
                return Err(ReadFault::Endless);
            }
        }
    }

    /// The one entry of this name.
    pub(crate) fn entry(
        &mut self,
        spent: &mut Spent<'_>,
        name: &str,
        attributes: &[&str],
    ) -> Result<Option<Entry>, ReadFault> {
        let filter = Filter::Present("objectClass");
        let scope = Scope::Entry;
        let question =
            Question { base: name, scope, filter: &filter, attributes, names_only: false, descriptors: false };
        let mut found = None;
        self.search(spent, &question, &mut |entry| found = Some(entry))?;
        Ok(found)
    }

    /// Asks for the values that an entry still lacks.
    fn finish(&mut self, spent: &mut Spent<'_>, question: &Question<'_>, mut entry: Entry) -> Result<Entry, ReadFault> {
        let filter = Filter::Present("objectClass");
        while let Some((name, next)) = entry.unfinished.pop() {
            if next > spent.limits.values {
                return Err(ReadFault::Values { limit: spent.limits.values });
            }
            let range = format!("{name};range={next}-*");
            let attributes = [range.as_str()];
            let question = Question {
                base: &entry.name,
                scope: Scope::Entry,
                filter: &filter,
                attributes: &attributes,
                descriptors: false,
                ..*question
            };
            self.ask(&question, None)?;
            let mut more = None;
            loop {
                match self.receive()? {
                    Answer::Entry(answer) => more = Some(answer),
                    Answer::Referral => {}
                    Answer::Done(outcome, _) => break outcome.done("reading the rest of an attribute")?,
                    Answer::Bound(_) | Answer::Extended(_) => return Err(crate::wire::WireFault::Unexpected.into()),
                }
            }
            let Some(mut more) = more else { continue };
            let values = more.attributes.remove(&name).unwrap_or_default();
            // A server that goes back, or stands still, would go on for ever.
            let onward = more.unfinished.into_iter().find(|(known, _)| *known == name);
            if let Some((_, further)) = onward {
                if further <= next || values.is_empty() {
                    return Err(ReadFault::Endless);
                }
                entry.unfinished.push((name.clone(), further));
            }
            let all = entry.attributes.entry(name).or_default();
            all.extend(values);
            if all.len() > spent.limits.values {
                return Err(ReadFault::Values { limit: spent.limits.values });
            }
        }
        Ok(entry)
    }
}
