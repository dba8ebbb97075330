//! Tests of the name book.
