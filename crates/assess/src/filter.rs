//! Asking the inventory in one line: `account and enabled and last-use older-than 90 days`. The indicators of the health
//! check are written in this form and nothing else, so that the query that a finding gives is the one that found it.
//!
//! Three values: an entry of which a needed fact is unknown neither matches nor fails to; `unknown (…)` asks for those.
//! Bounded in length and depth, since a query may come from outside.

use countersign_model::Timestamp;

use crate::field::{Field, FieldKind, FieldName, Value, find};
use crate::truth::Truth;
use crate::view::{Entry, View};

const LONGEST: usize = 4096;
const DEEPEST: usize = 32;

/// What is wrong with a query, and where.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("at character {at}: expected {expected}, found {found}")]
pub struct FilterError {
    /// Bytes from the start.
    pub at: usize,
    pub expected: String,
    pub found: String,
}

/// A query over the inventory.
#[derive(Clone, Debug)]
pub struct Filter {
    root: Term,
}

#[derive(Clone, Debug)]
enum Term {
    All(Vec<Term>),
    Any(Vec<Term>),
    Not(Box<Term>),
    Unknown(Box<Term>),
    Test { field: &'static Field, comparison: Comparison },
}

#[derive(Clone, Debug)]
enum Comparison {
    Holds,
    Is(String),
    Contains(String),
    Number(Operator, u64),
    OlderThan(u64),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Operator {
    Equal,
    Less,
    AtMost,
}

impl Filter {
    /// # Errors
    /// When the text is no query, with the place and what was expected there.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let mut parser = Parser { text, tokens: tokens(text)?, next: 0 };
        let root = parser.any(0)?;
        match parser.peek() {
            None => Ok(Self { root }),
            Some(_) => Err(parser.wrong("`and`, `or` or the end")),
        }
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { root: Term::All(vec![self.root, other.root]) }
    }

    /// The keys of what matches, and of what cannot be told, in the inventory's order.
    pub fn select<'v>(&self, view: &'v View<'_>, as_of: Timestamp) -> (Vec<&'v str>, Vec<&'v str>) {
        let (mut matching, mut untold) = (Vec::new(), Vec::new());
        for entry in view.present() {
            match self.holds(view, entry, as_of) {
                Truth::Yes => matching.push(&*entry.node.key),
                Truth::Unknown(_) => untold.push(&*entry.node.key),
                Truth::No => {}
            }
        }
        (matching, untold)
    }

    pub(crate) fn holds(&self, view: &View<'_>, entry: &Entry<'_>, as_of: Timestamp) -> Truth {
        self.root.holds(view, entry, as_of)
    }

    /// The fields that it asks for, each once.
    pub(crate) fn fields(&self) -> Vec<FieldName> {
        let mut fields = Vec::new();
        self.root.fields(&mut fields);
        fields.sort();
        fields.dedup();
        fields
    }
}

impl Term {
    fn holds(&self, view: &View<'_>, entry: &Entry<'_>, as_of: Timestamp) -> Truth {
        match self {
            Self::All(terms) => each(terms, Truth::Yes, Truth::No, |term| term.holds(view, entry, as_of), Truth::and),
            Self::Any(terms) => each(terms, Truth::No, Truth::Yes, |term| term.holds(view, entry, as_of), Truth::or),
            Self::Not(term) => !term.holds(view, entry, as_of),
            Self::Unknown(term) => matches!(term.holds(view, entry, as_of), Truth::Unknown(_)).into(),
            Self::Test { field, comparison } => comparison.holds(&(field.value)(view, entry), as_of),
        }
    }

    fn fields(&self, into: &mut Vec<FieldName>) {
        match self {
            Self::All(terms) | Self::Any(terms) => terms.iter().for_each(|term| term.fields(into)),
            Self::Not(term) | Self::Unknown(term) => term.fields(into),
            Self::Test { field, .. } => into.push(field.name),
        }
    }
}

/// Stops at the first that settles it.
fn each(
    terms: &[Term],
    start: Truth,
    settled: Truth,
    holds: impl Fn(&Term) -> Truth,
    join: impl Fn(Truth, Truth) -> Truth,
) -> Truth {
    let mut all = start;
    for term in terms {
        all = join(all, holds(term));
        if all == settled {
            break;
        }
    }
    all
}

impl Comparison {
    fn holds(&self, value: &Value<'_>, as_of: Timestamp) -> Truth {
        match (self, value) {
            (_, Value::Unknown(why)) => Truth::Unknown(why),
            (Self::Holds, Value::Flag(truth)) => *truth,
            (Self::Is(wanted), Value::Texts(texts)) => texts.iter().any(|text| same(text, wanted)).into(),
            (Self::Contains(wanted), Value::Texts(texts)) => {
                let wanted = wanted.to_lowercase();
                texts.iter().any(|text| text.to_lowercase().contains(&wanted)).into()
            }
            (Self::Number(operator, wanted), Value::Number(number)) => match operator {
                Operator::Equal => number == wanted,
                Operator::Less => number < wanted,
                Operator::AtMost => number <= wanted,
            }
            .into(),
            (Self::OlderThan(days), Value::Date(when)) => when.older_than(*days, as_of),
            // The parser pairs each kind of field with its comparisons only.
            _ => Truth::Unknown("a comparison that this field does not have"),
        }
    }
}

fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

#[derive(Clone, Debug)]
struct Token {
    at: usize,
    text: String,
    quoted: bool,
}

fn tokens(text: &str) -> Result<Vec<Token>, FilterError> {
    let fault =
        |at, expected: &str, found: &str| Err(FilterError { at, expected: expected.into(), found: found.into() });
    if text.len() > LONGEST {
        return fault(LONGEST, "the end of the query", "more");
    }
    let mut tokens: Vec<Token> = Vec::new();
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let mut token = Token { at, text: String::new(), quoted: false };
        match letter {
            _ if letter.is_whitespace() => continue,
            '"' => {
                token.quoted = true;
                loop {
                    match letters.next() {
                        Some((_, '"')) => break,
                        Some((_, letter)) => token.text.push(letter),
                        None => return fault(at, "a closing quotation mark", "the end"),
                    }
                }
            }
            '(' | ')' => token.text.push(letter),
            '=' | '!' | '<' | '>' => {
                token.text.push(letter);
                if letter != '=' && letters.next_if(|(_, next)| *next == '=').is_some() {
                    token.text.push('=');
                }
            }
            _ => {
                token.text.push(letter);
                let more = |next: &(usize, char)| !next.1.is_whitespace() && !"()=!<>\"".contains(next.1);
                while let Some((_, letter)) = letters.next_if(more) {
                    token.text.push(letter);
                }
            }
        }
        tokens.push(token);
    }
    Ok(tokens)
}

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    next: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn wrong(&self, expected: &str) -> FilterError {
        let (at, found) = match self.peek() {
            Some(token) => (token.at, format!("`{}`", token.text)),
            None => (self.text.len(), "the end".to_owned()),
        };
        FilterError { at, expected: expected.to_owned(), found }
    }

    fn accept(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|token| !token.quoted && token.text == word);
        self.next += usize::from(found);
        found
    }

    fn any(&mut self, depth: usize) -> Result<Term, FilterError> {
        let mut terms = vec![self.all(depth)?];
        while self.accept("or") {
            terms.push(self.all(depth)?);
        }
        Ok(if terms.len() > 1 { Term::Any(terms) } else { Term::All(terms) })
    }

    fn all(&mut self, depth: usize) -> Result<Term, FilterError> {
        let mut terms = vec![self.one(depth)?];
        while self.accept("and") {
            terms.push(self.one(depth)?);
        }
        Ok(Term::All(terms))
    }

    fn one(&mut self, depth: usize) -> Result<Term, FilterError> {
        if depth > DEEPEST {
            return Err(self.wrong("fewer parts within one another"));
        }
        if self.accept("not") {
            Ok(Term::Not(Box::new(self.one(depth + 1)?)))
        } else if self.accept("unknown") {
            Ok(Term::Unknown(Box::new(self.one(depth + 1)?)))
        } else if self.accept("(") {
            let term = self.any(depth + 1)?;
            if self.accept(")") { Ok(term) } else { Err(self.wrong("`)`")) }
        } else {
            self.test()
        }
    }

    fn test(&mut self) -> Result<Term, FilterError> {
        let named = self.peek().filter(|token| !token.quoted).and_then(|token| find(&token.text));
        let Some(field) = named else { return Err(self.wrong("the name of a field")) };
        self.next += 1;
        let (comparison, negated) = match field.kind {
            FieldKind::Flag => (Comparison::Holds, false),
            FieldKind::Text => self.text_comparison()?,
            FieldKind::Number => self.number_comparison()?,
            FieldKind::Date => {
                if !self.accept("older-than") {
                    return Err(self.wrong("`older-than`"));
                }
                let days = self.number()?;
                if !self.accept("days") {
                    return Err(self.wrong("`days`"));
                }
                (Comparison::OlderThan(days), false)
            }
        };
        let test = Term::Test { field, comparison };
        Ok(if negated { Term::Not(Box::new(test)) } else { test })
    }

    fn text_comparison(&mut self) -> Result<(Comparison, bool), FilterError> {
        let negated = self.accept("!=");
        if negated || self.accept("=") {
            return Ok((Comparison::Is(self.value()?), negated));
        }
        if self.accept("contains") {
            return Ok((Comparison::Contains(self.value()?), false));
        }
        Err(self.wrong("`=`, `!=` or `contains`"))
    }

    fn number_comparison(&mut self) -> Result<(Comparison, bool), FilterError> {
        const OPERATORS: [(&str, Operator, bool); 6] = [
            ("=", Operator::Equal, false),
            ("!=", Operator::Equal, true),
            ("<", Operator::Less, false),
            (">=", Operator::Less, true),
            ("<=", Operator::AtMost, false),
            (">", Operator::AtMost, true),
        ];
        for (text, operator, negated) in OPERATORS {
            if self.accept(text) {
                return Ok((Comparison::Number(operator, self.number()?), negated));
            }
        }
        Err(self.wrong("`=`, `!=`, `<`, `<=`, `>` or `>=`"))
    }

    fn value(&mut self) -> Result<String, FilterError> {
        let usable =
            |token: &&Token| token.quoted || !["(", ")", "=", "!=", "<", ">", "<=", ">="].contains(&&*token.text);
        let Some(token) = self.peek().filter(usable) else { return Err(self.wrong("a value")) };
        let text = token.text.clone();
        self.next += 1;
        Ok(text)
    }

    fn number(&mut self) -> Result<u64, FilterError> {
        let number = self.peek().filter(|token| !token.quoted).and_then(|token| token.text.parse::<u64>().ok());
        let Some(number) = number else { return Err(self.wrong("a whole number")) };
        self.next += 1;
        Ok(number)
    }
}
