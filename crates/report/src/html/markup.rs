//! A page as it is written: markup of our own, and text that cannot be markup.

/// What has been written so far.
#[derive(Debug, Default)]
pub(super) struct Page(String);

impl Page {
    /// Markup, as it is: a constant of this programme, since nothing else has this lifetime without effort.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Text, in an element or in a quoted attribute.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '`' => self.0.push_str("&#96;"),
                c => self.0.push(c),
            }
        }
        self
    }

    /// A number of a drawing.
    pub(super) fn number(&mut self, number: f32) -> &mut Self {
        let number = if number.is_finite() { (number * 100.0).round() / 100.0 } else { 0.0 };
        self.0.push_str(&format!("{number}"));
        self
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}
