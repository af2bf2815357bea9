//! Names that a stranger chose: markup, directions, code, nothing, far too much. On the page and on paper they are text.

use lopdf::Document as File;

use super::sample::document;
use crate::{html, pdf};

const HOSTILE: [&str; 10] = [
    "<script>alert(1)</script>",
    "</style></title></svg><img src=x onerror=alert(1)>",
    "\"><svg onload=alert(1)>'`${x}",
    "<!--",
    "&lt;b&gt; &#60;i&#62;",
    "safe\u{202e}gpj.exe\u{2066}\u{200b}\u{7}\u{1b}[31m\u{feff}\u{e0041}\u{ad}",
    "مدير\u{200f} النظام שלום",
    "/JavaScript (app.alert\\(1\\)) >> endobj \\) Tj ET",
    "张伟 🦀 ẞ Ωμέγα Жанна ő",
    "",
];

/// Tags and attributes of a page, as a browser would see them: everything outside of them is text.
fn tags(page: &str) -> Vec<&str> {
    let page = page.split_once("</style>").unwrap().1;
    page.split('<').skip(1).map(|part| part.split_once('>').unwrap().0).collect()
}

/// The shape of the page without what the name is.
fn shape(page: &str) -> Vec<&str> {
    tags(page).into_iter().map(|tag| tag.split([' ', '\n']).next().unwrap()).collect()
}

#[test]
fn a_name_changes_nothing_of_a_page_but_its_text() {
    let plain = html::render(&document("Ana"));
    for name in HOSTILE {
        let page = html::render(&document(name));
        assert_eq!(shape(&page), shape(&plain), "{name:?}");
        for tag in tags(&page) {
            let attributes = tag.split('"').step_by(2).collect::<String>();
            assert!(!attributes.contains(" on") && !attributes.contains("style="), "{tag}");
        }
        assert!(!page.contains(['\u{202e}', '\u{2066}', '\u{200b}', '\u{1b}', '\u{feff}', '\u{e0041}', '\u{200f}']));
    }
}

#[test]
fn a_page_asks_for_nothing() {
    let page = html::render(&document("Ana"));
    for word in ["src=", "url(", "@import", "http://", "https://", "<script", "<link", "<iframe"] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn on_paper_a_name_is_text_too() {
    for name in HOSTILE {
        let bytes = pdf::render(&document(name)).unwrap();
        let file = File::load_mem(&bytes).unwrap();
        let text = words(&file);
        let shown = pdf::shown(&crate::text::name(name)).unwrap();
        let squeezed = |text: &str| text.split_whitespace().collect::<String>();
        assert!(squeezed(&text).contains(&squeezed(&shown)), "{name:?}: {text}");
        for object in file.objects.values() {
            let dictionary = object.as_dict().or_else(|_| object.as_stream().map(|stream| &stream.dict));
            let Ok(dictionary) = dictionary else { continue };
            for key in [&b"JS"[..], b"JavaScript", b"OpenAction", b"AA", b"Launch", b"URI", b"EmbeddedFiles"] {
                assert!(!dictionary.has(key), "{}", String::from_utf8_lossy(key));
            }
        }
    }
}

#[test]
fn what_the_font_has_not_got_is_shown_as_what_it_is() {
    assert_eq!(pdf::shown("Ana Ωμέγα Жанна ő é").unwrap(), "Ana Ωμέγα Жанна ő é");
    assert_eq!(pdf::shown("张 伟").unwrap(), "[U+5F20] [U+4F1F]");
    assert_eq!(crate::text::name("a\u{202e}b"), "a[U+202E]b");
    let bytes = pdf::render(&document("张")).unwrap();
    assert!(words(&File::load_mem(&bytes).unwrap()).contains("code points"));
}

#[test]
fn an_endless_name_is_cut_in_its_middle_and_says_so() {
    let name = crate::text::name(&"x".repeat(1_000_000));
    assert!(name.len() < 200 && name.contains("999,896 characters"), "{name}");
    // Without a blank to break at, it stays between the margins.
    pdf::render(&document(&"漢".repeat(5000))).unwrap();
    html::render(&document(&"漢".repeat(5000)));
}

/// The text of all pages, as a reader selects it.
fn words(file: &File) -> String {
    let pages: Vec<u32> = file.get_pages().keys().copied().collect();
    file.extract_text(&pages).unwrap()
}
