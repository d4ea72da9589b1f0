//! Webhooks: the settings of one ([`hook`], [`address`]), what a call carries ([`call`],
//! [`signing`]), how it is sent ([`exchange`]), and when ([`delivery`]).

pub(crate) mod address;
pub(crate) mod call;
pub(crate) mod delivery;
pub(crate) mod exchange;
pub(crate) mod hook;
pub(crate) mod signing;
