//! Who comes in: by an account of the console and a password, or by a proxy that is trusted.
//!
//! A session is a random text that the browser keeps; the store knows its hash only. The token in
//! each form is another hash of that text: no page of another site can know it. [`visitor`] makes
//! what handlers are given, and there is no way to act without it: the fields of a form are in a
//! [`form::Act`] only.

pub(crate) mod attempts;
pub(crate) mod form;
pub(crate) mod keys;
pub(crate) mod login;
pub(crate) mod once;
pub mod password;
pub(crate) mod refusal;
pub(crate) mod visitor;
