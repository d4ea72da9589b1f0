//! The console as a browser meets it: over HTTP, with a real Redis and a real store of the test's
//! own.

mod acts;
mod contents;
mod entrance;
mod exports;
mod figures;
mod hostile;
mod house;
mod letters;
mod lines;
mod lists;
mod overview;
mod rules;
mod story;
mod work;
