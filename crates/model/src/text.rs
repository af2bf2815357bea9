//! What a text may not hide from its reader. It knows single characters, and nothing of confusable letters: that is a
//! question of who reads.

/// Whether a character is not seen as what it is: it moves a cursor, breaks a line where no line ends, turns the text around
/// it, or is not drawn at all, such as a tag, a filler or a selector. Those of Unicode that are ignored by default,
/// controls, and the separators of lines and paragraphs.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
                | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}'
                | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
                | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}'
        )
}

/// As it may be shown: what hides is shown as something that cannot be shown.
pub fn visible(c: char) -> char {
    if is_hidden(c) { '\u{FFFD}' } else { c }
}
