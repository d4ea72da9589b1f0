//! Webhooks: who is called ([`hook`], [`address`]), with what ([`call`], [`signing`]), how ([`exchange`]), and when ([`delivery`]).

pub(crate) mod address;
pub(crate) mod call;
pub(crate) mod delivery;
pub(crate) mod exchange;
pub(crate) mod hook;
pub(crate) mod signing;
