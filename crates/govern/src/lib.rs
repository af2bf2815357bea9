//! The governing half of a running system: keeps the estate, imports into it, assesses it, and remembers what was assessed.
//! What is judged is judged in `countersign_assess`, which is pure; here is what it rests on and what becomes of it.
