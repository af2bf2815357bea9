//! What was assessed, for readers: one self-contained page, a PDF, and an evidence pack that a third party verifies.
//! Pure: it is given an assessment and returns bytes; it judges nothing and opens nothing.
